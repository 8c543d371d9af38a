// Command inside is what runs inside a twinseal sandbox: the first process (init where it makes the sandbox, contain
// where a container engine has made it), the unprivileged stage that each step passes through, the probe that says what
// a program sees, and the shifted clock. It uses the standard library
// only and is built from this source, twice, by the pinned toolchain.
package main

import (
	"os"
	"strconv"
)

// selfPath is how this program starts itself again: the link is resolved by the kernel, so the program need not be
// reachable by a name inside the sandbox.
var selfPath = "/proc/self/exe"

func main() {
	if len(os.Args) < 2 {
		fail("usage: inside init|contain|stage|probe|trace …")
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "init":
		initMain(args)
	case "contain":
		containMain()
	case "stage":
		stageMain()
	case "probe":
		probeMain()
	case "copy":
		copyMain(args)
	case "wait-exec":
		waitExecMain(args)
	case "print-clock":
		printClockMain()
	case "trace":
		traceMain(args)
	case "clock-preflight":
		if err := clockShiftPreflight(); err != nil {
			fail(err.Error())
		}
	default:
		fail("unknown command " + strconv.Quote(os.Args[1]))
	}
}

// exitSetup says that the sandbox itself could not be made or kept: the world's failure, never the build's.
const exitSetup = 125

func fail(message string) {
	os.Stderr.WriteString("inside: " + message + "\n")
	os.Exit(exitSetup)
}

func must(doing string, err error) {
	if err != nil {
		fail(doing + ": " + err.Error())
	}
}

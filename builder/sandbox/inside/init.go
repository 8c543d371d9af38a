package main

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// initMain is PID 1 of the sandbox. It builds the root file system, runs the steps one after another as another user
// without any capability, copies the named outputs to the host and ends. When the driver goes away its pipe on
// standard input closes, and PID 1 takes every process with it.
func initMain(args []string) {
	if len(args) != 1 {
		fail("usage: inside init SPEC")
	}
	if os.Getpid() != 1 {
		fail("init must be the first process of a PID namespace")
	}
	runtime.LockOSThread()
	surviveSignals()
	spec := readSpec(args[0])
	closeInherited()
	forgetArguments()
	go dieWithParent(os.Stdin)
	limitUserNamespaces(spec)
	numberProcesses(spec)
	dropGroups(spec)
	must("setting the host name", syscall.Sethostname([]byte(spec.Hostname)))
	must("setting the domain name", syscall.Setdomainname([]byte(spec.Domainname)))
	outputTo, err := os.Open(spec.OutputTo)
	must("opening "+spec.OutputTo, err)
	buildRoot(spec)
	copySource(spec)
	for _, file := range spec.Files {
		writeFile(spec, file)
	}
	enterRoot(spec)
	runSteps(spec)
	emit(Event{Event: "done", Files: eachOutput(spec, func(name string, in *os.File, info os.FileInfo) {
		copyOutput(outputTo, name, in, info)
	})})
}

// runSteps runs the steps one after another, and those after a failed one not at all.
func runSteps(spec Spec) {
	os.Clearenv()
	emit(Event{Event: "ready"})
	for _, step := range spec.Steps {
		if !runStep(spec, step) {
			break
		}
	}
}

func readSpec(path string) Spec {
	text, err := os.ReadFile(path)
	must("reading the plan", err)
	var spec Spec
	must("reading the plan", json.Unmarshal(text, &spec))
	return spec
}

// surviveSignals catches every signal that can be caught: to the kernel a step is the same user as we are, and may send
// some. PID 1 gets no other from its own namespace, and what we start has none of this.
func surviveSignals() { signal.Notify(make(chan os.Signal, 1)) }

// dieWithParent ends the sandbox when the driver's side of the pipe is closed.
func dieWithParent(pipe io.Reader) {
	io.Copy(io.Discard, pipe)
	os.Exit(exitSetup)
}

// limitUserNamespaces leaves room for exactly the one user namespace that a step lives in: a step cannot make
// another. Outside a user namespace of our own the setting would be the host's, and the system call filter has to do.
func limitUserNamespaces(spec Spec) {
	if spec.OuterUserNamespace {
		must("limiting user namespaces", os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("1"), 0))
	}
}

// numberProcesses lets process ids count from another number. Where the kernel cannot (CONFIG_CHECKPOINT_RESTORE), the
// probe sees that it did not.
func numberProcesses(spec Spec) {
	if spec.FirstPID > 0 {
		os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(spec.FirstPID)), 0)
	}
}

// dropGroups gives up root's groups where we are root; in a user namespace of our own the kernel forbids it, and the
// caller's other groups stay without a name.
func dropGroups(spec Spec) {
	if !spec.OuterUserNamespace {
		must("dropping groups", syscall.Setgroups(nil))
	}
}

// closeInherited keeps whatever descriptors our callers left open from reaching a step.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	must("reading descriptors", err)
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// forgetArguments overwrites the memory behind /proc/1/cmdline, which names paths of the host.
func forgetArguments() {
	for _, argument := range os.Args {
		start := *(*unsafe.Pointer)(unsafe.Pointer(&argument))
		for i := 0; i < len(argument); i++ {
			*(*byte)(unsafe.Add(start, i)) = 0
		}
	}
}

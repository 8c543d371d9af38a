package main

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

type stageConfig struct {
	Argv           []string `json:"argv"`
	Env            []string `json:"env"`
	Dir            string   `json:"dir"`
	Umask          int      `json:"umask"`
	CPUs           []int    `json:"cpus"`
	Uname26        bool     `json:"uname26"`
	FixedAddresses bool     `json:"fixedAddresses"`
	Clock          *Clock   `json:"clock"`
	MaxFileBytes   int64    `json:"maxFileBytes"`
}

const (
	prSetNoNewPrivs  = 38
	personaUname26   = 0x0020000
	personaNoRandom  = 0x0040000
	stageConfigFd    = 3
	exitNotStartable = 126
)

// stageMain is the last of our code before a step's program: it gives up what is left to give up, takes on what the
// plan varies by process, and becomes the program, or its clock.
func stageMain() {
	runtime.LockOSThread() // affinity, personality and no-new-privs belong to a thread
	file := os.NewFile(stageConfigFd, "config")
	text, err := io.ReadAll(file)
	must("reading the step", err)
	must("reading the step", file.Close())
	var config stageConfig
	must("reading the step", json.Unmarshal(text, &config))
	must("refusing new privileges", rawCall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1))
	assertNoCapabilities()
	syscall.Umask(config.Umask)
	limitResources(config)
	setAffinity(config.CPUs)
	setPersonality(config)
	resetScheduling()
	must("entering "+config.Dir, os.Chdir(config.Dir))
	if config.Clock != nil {
		runShifted(config)
	}
	must("filtering system calls", installSeccomp(false))
	err = syscall.Exec(config.Argv[0], config.Argv, config.Env)
	os.Stderr.WriteString("inside: starting " + config.Argv[0] + ": " + err.Error() + "\n")
	os.Exit(exitNotStartable)
}

func runShifted(config stageConfig) {
	status, _, err := traceAndRun(config.Argv, config.Env, config.Dir, config.Clock.Seconds, config.Clock.Nanos)
	must("shifting the clock", err)
	if status.Signaled() {
		// End the way the program did, so that init sees one truth with and without the clock.
		rawCall(syscall.SYS_KILL, uintptr(os.Getpid()), uintptr(status.Signal()))
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

// assertNoCapabilities fails closed should a kernel ever leave one.
func assertNoCapabilities() {
	header := struct{ version, pid uint32 }{0x20080522, 0}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		fail("reading capabilities: " + errno.Error())
	}
	for _, set := range data {
		if set.effective|set.permitted|set.inheritable != 0 {
			fail("a capability is left")
		}
	}
}

func limitResources(config stageConfig) {
	for resource, limit := range map[int]uint64{
		syscall.RLIMIT_CORE:  0,
		syscall.RLIMIT_FSIZE: uint64(config.MaxFileBytes),
	} {
		must("limiting resources", syscall.Setrlimit(resource, &syscall.Rlimit{Cur: limit, Max: limit}))
	}
}

func setAffinity(cpus []int) {
	if len(cpus) == 0 {
		return
	}
	var mask [128]byte // 1024 processors
	for _, cpu := range cpus {
		mask[cpu/8] |= 1 << (cpu % 8)
	}
	must("choosing processors", rawCall(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask))))
}

func setPersonality(config stageConfig) {
	var persona uintptr
	if config.Uname26 {
		persona |= personaUname26
	}
	if config.FixedAddresses {
		persona |= personaNoRandom
	}
	must("setting the personality", rawCall(syscall.SYS_PERSONALITY, persona))
}

// resetScheduling gives up classes of processor and disk time that whoever starts us may have, and that a step could
// see; a kernel that refuses leaves them, and both sides have the same.
func resetScheduling() {
	const schedOther, prSetTimerslack, ioprioWhoProcess = 0, 29, 1
	var priority int32
	rawCall(syscall.SYS_SCHED_SETSCHEDULER, 0, schedOther, uintptr(unsafe.Pointer(&priority)))
	rawCall(syscall.SYS_IOPRIO_SET, ioprioWhoProcess, 0, 0)
	rawCall(syscall.SYS_PRCTL, prSetTimerslack, 0)
}

func rawCall(number uintptr, args ...uintptr) error {
	var full [3]uintptr
	copy(full[:], args)
	if _, _, errno := syscall.RawSyscall(number, full[0], full[1], full[2]); errno != 0 {
		return errno
	}
	return nil
}

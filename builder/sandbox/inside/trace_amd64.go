package main

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// The shifted clock: a tracer stops every process at exec and replaces the vDSO's wall clock functions, so that static
// Go programs see another day too. System calls that go around the vDSO are caught by the system call filter and
// answered by the tracer with the same shift. What stays real: monotonic and processor clocks, and the times the kernel
// writes on files. One locked thread does all ptrace calls, since a tracee belongs to the thread that seized it.

const (
	ptraceSeize     = 0x4206
	ptraceListen    = 0x4208
	optTraceFork    = 0x2
	optTraceVfork   = 0x4
	optTraceClone   = 0x8
	optTraceExec    = 0x10
	optTraceSeccomp = 0x80
	optExitKill     = 0x100000
	eventExec       = 4
	eventSeccomp    = 7
	eventStop       = 128
	waitAll         = 0x40000000 // __WALL
)

// The program is executed by the thread that was seized: the main one.
func init() {
	if len(os.Args) > 1 && os.Args[1] == "wait-exec" {
		runtime.LockOSThread()
	}
}

// waitExecMain is the traced child before it becomes the program: it waits until it has been seized.
func waitExecMain(args []string) {
	const gate = 3
	var one [1]byte
	syscall.Read(gate, one[:])
	syscall.Close(gate)
	must("filtering system calls", installSeccomp(true))
	err := syscall.Exec(args[0], args, os.Environ())
	os.Stderr.WriteString("inside: starting " + args[0] + ": " + err.Error() + "\n")
	os.Exit(exitNotStartable)
}

// traceAndRun runs a program to its end with a shifted wall clock, for it and for every process it starts. Processes
// that outlive it are killed when we exit.
func traceAndRun(argv, env []string, dir string, seconds, nanos int64) (syscall.WaitStatus, syscall.Rusage, error) {
	runtime.LockOSThread()
	var usage syscall.Rusage
	image, err := readVdso()
	if err != nil {
		return 0, usage, err
	}
	patches, err := planPatches(image, seconds, nanos)
	if err != nil {
		return 0, usage, err
	}
	var gate [2]int
	if err := syscall.Pipe2(gate[:], syscall.O_CLOEXEC); err != nil {
		return 0, usage, err
	}
	child, err := syscall.ForkExec(selfPath, append([]string{"inside", "wait-exec"}, argv...), &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{0, 1, 2, uintptr(gate[0])},
	})
	syscall.Close(gate[0])
	if err != nil {
		return 0, usage, err
	}
	const options = optTraceFork | optTraceVfork | optTraceClone | optTraceExec | optTraceSeccomp | optExitKill
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, ptraceSeize, uintptr(child), 0, options, 0, 0); errno != 0 {
		syscall.Kill(child, syscall.SIGKILL)
		return 0, usage, errors.New("ptrace: " + errno.Error())
	}
	syscall.Close(gate[1])
	tracer := tracer{vdsoBytes: uint64(len(image)), patches: patches, seconds: seconds, nanos: nanos}
	return tracer.follow(child)
}

type tracer struct {
	vdsoBytes      uint64
	patches        []patch
	seconds, nanos int64
}

func (t tracer) follow(child int) (syscall.WaitStatus, syscall.Rusage, error) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, waitAll, &usage)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, usage, err
		}
		if status.Exited() || status.Signaled() {
			if pid == child {
				return status, usage, nil
			}
			continue
		}
		if err := t.stopped(pid, status); err != nil {
			return 0, usage, err
		}
	}
}

// stopped continues a stopped thread. A thread that died meanwhile is seen by its exit.
func (t tracer) stopped(pid int, status syscall.WaitStatus) error {
	signal := status.StopSignal()
	switch event := int(status) >> 16; event {
	case eventExec:
		if err := t.shift(pid); err != nil && err != syscall.ESRCH && !os.IsNotExist(err) {
			return errors.New("shifting the clock of a process: " + err.Error())
		}
		signal = 0
	case eventSeccomp:
		t.answer(pid)
		signal = 0
	case eventStop:
		if signal == syscall.SIGSTOP || signal == syscall.SIGTSTP || signal == syscall.SIGTTIN || signal == syscall.SIGTTOU {
			syscall.RawSyscall6(syscall.SYS_PTRACE, ptraceListen, uintptr(pid), 0, 0, 0, 0)
			return nil
		}
		signal = 0
	case 0: // a signal on its way
	default: // fork, vfork, clone
		signal = 0
	}
	syscall.PtraceCont(pid, int(signal))
	return nil
}

func (t tracer) shift(pid int) error {
	process := strconv.Itoa(pid)
	base, err := vdsoBase(process)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/"+process+"/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	for _, patch := range t.patches {
		if _, err := memory.WriteAt(patch.code, base+patch.offset); err != nil {
			return err
		}
	}
	return nil
}

// answer does a clock system call in the tracee's place.
func (t tracer) answer(pid int) {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(pid, &regs) != nil {
		return
	}
	if t.inVdso(pid, regs.Rip) {
		return
	}
	number := regs.Orig_rax
	regs.Orig_rax = ^uint64(0) // the kernel then makes no call and returns rax
	regs.Rax = uint64(t.result(pid, number, regs.Rdi, regs.Rsi))
	syscall.PtraceSetRegs(pid, &regs)
}

// inVdso is true for a call by the vDSO's own function, where it cannot read the clock by itself: the stub will shift
// what it gets.
func (t tracer) inVdso(pid int, address uint64) bool {
	base, err := vdsoBase(strconv.Itoa(pid))
	return err == nil && address-uint64(base) < t.vdsoBytes
}

func (t tracer) result(pid int, number, first, second uint64) int64 {
	switch number {
	case syscall.SYS_CLOCK_GETTIME:
		var now syscall.Timespec
		clock := uintptr(uint32(first)) // the filter stops for shifted clocks only
		if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
			return -int64(errno)
		}
		now.Sec, now.Nsec = carry(now.Sec+t.seconds, now.Nsec+t.nanos, 1e9)
		return poke(pid, second, now.Sec, now.Nsec)
	case syscall.SYS_GETTIMEOFDAY:
		if first == 0 {
			return 0
		}
		var now syscall.Timeval
		syscall.Gettimeofday(&now)
		now.Sec, now.Usec = carry(now.Sec+t.seconds, now.Usec+t.nanos/1000, 1e6)
		return poke(pid, first, now.Sec, now.Usec)
	case syscall.SYS_TIME:
		var now syscall.Timeval
		syscall.Gettimeofday(&now)
		sec, _ := carry(now.Sec+t.seconds, now.Usec+t.nanos/1000, 1e6)
		if first != 0 {
			var bytes [8]byte
			binary.LittleEndian.PutUint64(bytes[:], uint64(sec))
			if _, err := syscall.PtracePokeData(pid, uintptr(first), bytes[:]); err != nil {
				return -int64(syscall.EFAULT)
			}
		}
		return sec
	}
	return -int64(syscall.ENOSYS)
}

func carry(whole, part, limit int64) (int64, int64) {
	if part >= limit {
		return whole + 1, part - limit
	}
	return whole, part
}

func poke(pid int, address uint64, first, second int64) int64 {
	var bytes [16]byte
	binary.LittleEndian.PutUint64(bytes[:], uint64(first))
	binary.LittleEndian.PutUint64(bytes[8:], uint64(second))
	if _, err := syscall.PtracePokeData(pid, uintptr(address), bytes[:]); err != nil {
		return -int64(syscall.EFAULT)
	}
	return 0
}

// traceMain runs a program with a shifted clock outside of a sandbox: inside trace SECONDS NANOS -- PROGRAM …
func traceMain(args []string) {
	if len(args) < 4 || args[2] != "--" {
		fail("usage: inside trace SECONDS NANOS -- PROGRAM …")
	}
	seconds, err := strconv.ParseInt(args[0], 10, 64)
	must("reading the offset", err)
	nanos, err := strconv.ParseInt(args[1], 10, 64)
	must("reading the offset", err)
	must("refusing new privileges", rawCall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1))
	status, _, err := traceAndRun(args[3:], os.Environ(), "", seconds, nanos)
	must("shifting the clock", err)
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

// printClockMain prints the wall clock as the vDSO and as the raw system call tell it.
func printClockMain() {
	var raw syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 0, uintptr(unsafe.Pointer(&raw)), 0)
	os.Stdout.WriteString(strconv.FormatInt(time.Now().Unix(), 10) + " " + strconv.FormatInt(raw.Sec, 10) + "\n")
}

// clockShiftPreflight tries the shift on ourselves and looks whether both ways to read the clock are shifted.
func clockShiftPreflight() error {
	if err := rawCall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1); err != nil {
		return err
	}
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return err
	}
	stdout, err := syscall.Dup(1)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(stdout)
	syscall.Dup3(pipe[1], 1, 0)
	const offset = 1_000_000_000
	before := time.Now().Unix()
	status, _, err := traceAndRun([]string{selfPath, "print-clock"}, []string{}, "/", offset, 0)
	syscall.Dup3(stdout, 1, 0)
	syscall.Close(pipe[1])
	if err != nil {
		return err
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return errors.New("a traced program failed")
	}
	text := make([]byte, 100)
	n, _ := syscall.Read(pipe[0], text)
	for _, seen := range splitWords(string(text[:n])) {
		value, err := strconv.ParseInt(seen, 10, 64)
		if err != nil || value < before+offset || value > before+offset+60 {
			return errors.New("a traced program still saw the real clock")
		}
	}
	return nil
}

func splitWords(text string) []string {
	var words []string
	word := ""
	for _, c := range text + " " {
		if c != ' ' && c != '\n' {
			word += string(c)
		} else if word != "" {
			words = append(words, word)
			word = ""
		}
	}
	return words
}

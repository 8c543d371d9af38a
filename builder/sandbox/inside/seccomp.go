package main

import (
	"syscall"
	"unsafe"
)

// The system call filter takes away what no build needs and what could weaken the sandbox. It is a second wall behind
// namespaces and missing capabilities, except for user namespaces started through sudo, where it is the only one.

const (
	retKill  = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	retTrace = 0x7ff00000
	retErrno = 0x00050000
	retAllow = 0x7fff0000

	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16

	bpfLoad    = 0x20 // BPF_LD | BPF_W | BPF_ABS
	bpfEqual   = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	bpfAtLeast = 0x35 // BPF_JMP | BPF_JGE | BPF_K
	bpfHasBits = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	bpfReturn  = 0x06 // BPF_RET | BPF_K

	// Bits of CLOCK_REALTIME, _COARSE, _ALARM and CLOCK_TAI; the vDSO's stub knows the same.
	shiftedClocks = 0x921

	cloneNewUser = 0x10000000
	// A child that nobody traces would see the real clock.
	cloneUntraced = 0x00800000
	afVsock       = 40
	tiocsti       = 0x5412
	tioclinux     = 0x541c
)

type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// installSeccomp filters the calling thread and what it starts; no-new-privs must be set. With traceClock, clock calls
// without the stub's cookie stop for the tracer.
func installSeccomp(traceClock bool) error {
	program := filterProgram(traceClock)
	header := struct {
		length uint16
		filter *instruction
	}{uint16(len(program)), &program[0]}
	const prSetSeccomp, modeFilter = 22, 2
	return rawCall(syscall.SYS_PRCTL, prSetSeccomp, modeFilter, uintptr(unsafe.Pointer(&header)))
}

func filterProgram(traceClock bool) []instruction {
	program := []instruction{
		{bpfLoad, 0, 0, offsetArch},
		{bpfEqual, 1, 0, auditArch},
		{bpfReturn, 0, 0, retKill},
		{bpfLoad, 0, 0, offsetNumber},
		{bpfAtLeast, 0, 1, 0x40000000}, // x32
		{bpfReturn, 0, 0, retKill},
	}
	for _, number := range deniedCalls {
		program = append(program, instruction{bpfEqual, 0, 1, number}, instruction{bpfReturn, 0, 0, retErrno | uint32(syscall.EPERM)})
	}
	// The flags of clone3 lie in memory, where a filter cannot look: programs fall back to clone.
	program = append(program, instruction{bpfEqual, 0, 1, callClone3}, instruction{bpfReturn, 0, 0, retErrno | uint32(syscall.ENOSYS)})
	program = append(program, whenArgument(callClone, 0, instruction{bpfHasBits, 0, 1, cloneNewUser})...)
	program = append(program, whenArgument(callClone, 0, instruction{bpfHasBits, 0, 1, cloneUntraced})...)
	program = append(program, whenArgument(callUnshare, 0, instruction{bpfHasBits, 0, 1, cloneNewUser})...)
	program = append(program, whenArgument(callIoctl, 1, instruction{bpfEqual, 0, 1, tiocsti})...)
	program = append(program, whenArgument(callIoctl, 1, instruction{bpfEqual, 0, 1, tioclinux})...)
	program = append(program, whenArgument(callSocket, 0, instruction{bpfEqual, 0, 1, afVsock})...)
	if traceClock {
		program = append(program, denyWaits()...)
		program = append(program, allowUnless(callClockGettime, shiftedClocks)...)
		for _, number := range clockCalls {
			program = append(program, traceUnlessCookie(number)...)
		}
	}
	return append(program, instruction{bpfReturn, 0, 0, retAllow})
}

// denyWaits denies waiting until an absolute time of the wall clock: the kernel would wait by its own, and so tell it.
func denyWaits() []instruction {
	const absolute, realtime, lockPI = 1, 256, 6
	var program []instruction
	for _, clock := range []uint32{0, 8, 11} { // CLOCK_REALTIME, _ALARM, CLOCK_TAI
		is := instruction{bpfEqual, 0, 1, clock}
		program = append(program, whenArgument(callTimerfdCreate, 0, is)...)
		program = append(program, whenArgument(callTimerCreate, 0, is)...)
		program = append(program, whenArguments(callClockNanosleep, is, instruction{bpfHasBits, 0, 1, absolute})...)
	}
	program = append(program, whenArgument(callFutex, 1, instruction{bpfHasBits, 0, 1, realtime})...)
	for _, operation := range []uint32{lockPI, lockPI | 128} { // the real clock's without saying so; 128: private
		program = append(program, whenArgument(callFutex, 1, instruction{bpfEqual, 0, 1, operation})...)
	}
	for _, number := range waitCalls {
		program = append(program, instruction{bpfEqual, 0, 1, number}, instruction{bpfReturn, 0, 0, retErrno | uint32(syscall.EPERM)})
	}
	return program
}

// whenArguments denies a call when its first two arguments pass a test each.
func whenArguments(number uint32, first, second instruction) []instruction {
	first.jf = 3
	return []instruction{
		{bpfEqual, 0, 6, number},
		{bpfLoad, 0, 0, offsetArgs},
		first,
		{bpfLoad, 0, 0, offsetArgs + 8},
		second,
		{bpfReturn, 0, 0, retErrno | uint32(syscall.EPERM)},
		{bpfLoad, 0, 0, offsetNumber},
	}
}

// whenArgument denies a call when the low half of an argument passes a test.
func whenArgument(number uint32, argument uint32, test instruction) []instruction {
	return []instruction{
		{bpfEqual, 0, 4, number},
		{bpfLoad, 0, 0, offsetArgs + 8*argument},
		test,
		{bpfReturn, 0, 0, retErrno | uint32(syscall.EPERM)},
		{bpfLoad, 0, 0, offsetNumber},
	}
}

// allowUnless lets a call pass whose first argument is not one of the bits of a mask.
func allowUnless(number uint32, mask uint32) []instruction {
	var tests []instruction
	for bit := uint32(0); bit < 32; bit++ {
		if mask>>bit&1 == 1 {
			tests = append(tests, instruction{bpfEqual, 0, 0, bit})
		}
	}
	for i := range tests {
		tests[i].jt = uint8(len(tests) - i) // over the others and the return
	}
	program := []instruction{{bpfEqual, 0, uint8(len(tests) + 3), number}, {bpfLoad, 0, 0, offsetArgs}}
	program = append(program, tests...)
	return append(program, instruction{bpfReturn, 0, 0, retAllow}, instruction{bpfLoad, 0, 0, offsetNumber})
}

func traceUnlessCookie(number uint32) []instruction {
	const sixth = offsetArgs + 8*5
	return []instruction{
		{bpfEqual, 0, 6, number},
		{bpfLoad, 0, 0, sixth},
		{bpfEqual, 0, 3, cookieLow},
		{bpfLoad, 0, 0, sixth + 4},
		{bpfEqual, 0, 1, cookieHigh},
		{bpfReturn, 0, 0, retAllow},
		{bpfReturn, 0, 0, retTrace},
	}
}

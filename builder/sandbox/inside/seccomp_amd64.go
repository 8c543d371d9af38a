package main

const (
	auditArch          = 0xc000003e
	callClone          = 56
	callClone3         = 435
	callUnshare        = 272
	callIoctl          = 16
	callSocket         = 41
	callClockGettime   = 228
	callTimerfdCreate  = 283
	callTimerCreate    = 222
	callClockNanosleep = 230
	callFutex          = 202
	cookieLow          = clockCookie & 0xffffffff
	cookieHigh         = clockCookie >> 32
)

// clock_gettime, gettimeofday, time
var clockCalls = []uint32{callClockGettime, 96, 201}

// mq_timedsend, mq_timedreceive; futex_waitv, futex_wait name a clock
var waitCalls = []uint32{242, 243, 449, 455}

var deniedCalls = []uint32{
	101,      // ptrace: the tracer is not to be fooled
	310, 311, // process_vm_readv, process_vm_writev
	155, 161, 165, 166, 308, // pivot_root, chroot, mount, umount2, setns
	428, 429, 430, 431, 432, 433, 442, // open_tree … mount_setattr
	248, 249, 250, // add_key, request_key, keyctl: keyrings are not in a namespace
	321, 298, 323, // bpf, perf_event_open, userfaultfd
	425, 426, 427, // io_uring: its operations pass no filter
	100, 103, // times, syslog: ticks since the host's boot, its kernel's messages
	29, 64, 68, // shmget, semget, msgget: their objects carry the kernel's own clock
	159, 164, 227, 305, // adjtimex, settimeofday, clock_settime, clock_adjtime
	167, 168, 169, 175, 176, 246, 313, 320, 163, // swap, reboot, modules, kexec, acct
}

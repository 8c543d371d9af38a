package main

const (
	auditArch          = 0xc00000b7
	callClone          = 220
	callClone3         = 435
	callUnshare        = 97
	callIoctl          = 29
	callSocket         = 198
	callClockGettime   = 113
	callTimerfdCreate  = 85
	callTimerCreate    = 107
	callClockNanosleep = 115
	callFutex          = 98
	cookieLow          = 0
	cookieHigh         = 0
)

var clockCalls, waitCalls []uint32 // no clock is shifted here

// The same calls as on amd64, by this architecture's numbers.
var deniedCalls = []uint32{
	117,
	270, 271,
	41, 51, 40, 39, 268,
	428, 429, 430, 431, 432, 433, 442,
	217, 218, 219,
	280, 241, 282,
	425, 426, 427,
	153, 116,
	194, 190, 186,
	171, 170, 112, 266,
	224, 225, 142, 105, 106, 104, 273, 294, 89,
}

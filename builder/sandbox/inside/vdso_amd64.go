package main

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
)

// The stubs that replace three functions of a process's vDSO: make the real system call, with a cookie in an argument
// register that the call does not use, then add the offset. Assembled from:
//
//	clock_gettime: mov $228,%eax; movabs $COOKIE,%r9; syscall; test %eax,%eax; jnz ret; cmp $11,%edi; ja ret
//	               mov $0x921,%ecx; bt %edi,%ecx; jnc ret             # CLOCK_REALTIME, _COARSE, _ALARM and CLOCK_TAI
//	               movabs $SECONDS,%rcx; add %rcx,(%rsi); mov 8(%rsi),%rcx; add $NANOS,%rcx
//	               cmp $1000000000,%rcx; jb 2f; sub $1000000000,%rcx; incq (%rsi); 2: mov %rcx,8(%rsi); ret
//	gettimeofday:  the same with system call 96, a null check of %rdi, and microseconds
//	time:          mov $201,%eax; … push %rdi; xor %edi,%edi; syscall; pop %rdi; add; store through %rdi if not null
const (
	stubCode = "b8e400000049b911111111111111110f0585c0753e83ff0b7739b9210900000fa3f9732f48b9222222222222222248010e488b4e084881c133" +
		"3333334881f900ca9a3b720a4881e900ca9a3b48ff0648894e08c3b86000000049b911111111111111110f0585c075344885ff742f48b92222" +
		"22222222222248010f488b4f084881c1444444444881f940420f00720a4881e940420f0048ff0748894f08c3b8c900000049b9111111111111" +
		"11115731ff0f055f48b922222222222222224801c84885ff7403488907c3"
	stubGettimeofday = 0x54
	stubTime         = 0x9e
	clockCookie      = 0x7477696e7365616c // also what the system call filter lets through
)

// patch is one piece of code to write at an offset of the vDSO.
type patch struct {
	offset int64
	code   []byte
}

// planPatches decides what to write into every process's vDSO. All processes of one kernel have the same one.
func planPatches(seconds, nanos int64) ([]patch, error) {
	image, err := readVdso()
	if err != nil {
		return nil, err
	}
	functions := vdsoFunctions(image)
	clock, gettimeofday, timeOf := functions["__vdso_clock_gettime"], functions["__vdso_gettimeofday"], functions["__vdso_time"]
	code := stubs(seconds, nanos)
	if clock.size < len(code) || gettimeofday.size < 5 || timeOf.size < 5 {
		return nil, errors.New("this kernel's vDSO has no room for the shifted clock")
	}
	return []patch{
		{clock.offset, code},
		{gettimeofday.offset, jump(gettimeofday.offset, clock.offset+stubGettimeofday)},
		{timeOf.offset, jump(timeOf.offset, clock.offset+stubTime)},
	}, nil
}

func stubs(seconds, nanos int64) []byte {
	code := make([]byte, len(stubCode)/2)
	for i := range code {
		value, _ := strconv.ParseUint(stubCode[2*i:2*i+2], 16, 8)
		code[i] = byte(value)
	}
	fill(code, 0x11, 8, clockCookie)
	fill(code, 0x22, 8, uint64(seconds))
	fill(code, 0x33, 4, uint64(nanos))
	fill(code, 0x44, 4, uint64(nanos/1000))
	return code
}

// fill replaces every run of width times the mark by a little-endian value.
func fill(code []byte, mark byte, width int, value uint64) {
	for at := 0; at+width <= len(code); at++ {
		run := 0
		for run < width && code[at+run] == mark {
			run++
		}
		if run < width {
			continue
		}
		for i := 0; i < width; i++ {
			code[at+i] = byte(value >> (8 * i))
		}
		at += width - 1
	}
}

func jump(from, to int64) []byte {
	code := []byte{0xe9, 0, 0, 0, 0}
	binary.LittleEndian.PutUint32(code[1:], uint32(int32(to-from-5)))
	return code
}

// vdsoBase reads AT_SYSINFO_EHDR from a process's auxiliary vector.
func vdsoBase(process string) (int64, error) {
	vector, err := os.ReadFile("/proc/" + process + "/auxv")
	if err != nil {
		return 0, err
	}
	const atSysinfoEhdr = 33
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.LittleEndian.Uint64(vector) == atSysinfoEhdr {
			return int64(binary.LittleEndian.Uint64(vector[8:])), nil
		}
	}
	return 0, errors.New("the process has no vDSO")
}

func readVdso() ([]byte, error) {
	base, err := vdsoBase("self")
	if err != nil {
		return nil, err
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	header := make([]byte, 64)
	if _, err := memory.ReadAt(header, base); err != nil {
		return nil, err
	}
	end := binary.LittleEndian.Uint64(header[40:]) + 64*uint64(binary.LittleEndian.Uint16(header[60:]))
	if end > 1<<20 {
		return nil, errors.New("the vDSO is too large")
	}
	image := make([]byte, end)
	_, err = memory.ReadAt(image, base)
	return image, err
}

type function struct {
	offset int64
	size   int
}

// vdsoFunctions reads the dynamic symbols of an ELF image.
func vdsoFunctions(image []byte) map[string]function {
	found := map[string]function{}
	u16, u32, u64 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	sections := image[u64(image[40:]):]
	for i := 0; i < int(u16(image[60:])); i++ {
		section := sections[64*i:]
		const dynsym = 11
		if u32(section[4:]) != dynsym {
			continue
		}
		names := image[u64(sections[64*u32(section[40:])+24:]):]
		symbols := image[u64(section[24:]):][:u64(section[32:])]
		for ; len(symbols) >= 24; symbols = symbols[24:] {
			name := names[u32(symbols):]
			end := 0
			for name[end] != 0 {
				end++
			}
			found[string(name[:end])] = function{int64(u64(symbols[8:])), int(u64(symbols[16:]))}
		}
	}
	return found
}

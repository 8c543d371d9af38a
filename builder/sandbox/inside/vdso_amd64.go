package main

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
)

// The stubs that shift a process's wall clocks. They lie where the vDSO's gettimeofday was, and the symbol table leads to
// them. clock_gettime adds to what the vDSO's own function says and leaves the other clocks to it: a compiler reads the
// clock a hundred thousand times a second, too often for a system call. The other two make the real system call, with
// a cookie in an argument register that the call does not use, so that the filter lets it pass. Assembled from:
//
//	gettimeofday:  mov $96,%eax; movabs $COOKIE,%r9; syscall; test %eax,%eax; jnz ret; test %rdi,%rdi; jz ret
//	               movabs $SECONDS,%rcx; add %rcx,(%rdi); mov 8(%rdi),%rcx; add $MICROS,%rcx
//	               cmp $1000000,%rcx; jb 2f; sub $1000000,%rcx; incq (%rdi); 2: mov %rcx,8(%rdi); ret
//	time:          mov $201,%eax; … push %rdi; xor %edi,%edi; syscall; pop %rdi; add; store through %rdi if not null
//	clock_gettime: cmp $11,%edi; ja own; mov $0x921,%ecx; bt %edi,%ecx; jnc own
//	               push %rsi; call OWN; pop %rsi; add as above, through %rsi, nanoseconds; own: jmp OWN
const (
	stubCode = "b86000000049b911111111111111110f0585c075344885ff742f48b9222222222222222248010f488b4f084881c1444444444881f940420f" +
		"00720a4881e940420f0048ff0748894f08c3b8c900000049b911111111111111115731ff0f055f48b922222222222222224801c84885ff74" +
		"03488907c383ff0b7745b9210900000fa3f9733b56e8000000005e85c0752f48b9222222222222222248010e488b4e084881c13333333348" +
		"81f900ca9a3b720a4881e900ca9a3b48ff0648894e08c3e900000000"
	stubTime    = 0x4a
	stubClock   = 0x75
	stubCall    = 0x85
	stubJump    = 0xbf
	clockCookie = 0x7477696e7365616c // also what the system call filter lets through
)

// patch is one piece of code to write at an offset of the vDSO.
type patch struct {
	offset int64
	code   []byte
}

// planPatches decides what to write into every process's vDSO. All processes of one kernel have the same one.
func planPatches(image []byte, seconds, nanos int64) ([]patch, error) {
	functions := vdsoFunctions(image)
	clock, gettimeofday, timeOf := functions["__vdso_clock_gettime"], functions["__vdso_gettimeofday"], functions["__vdso_time"]
	code := stubs(seconds, nanos)
	for _, at := range []int64{stubCall, stubJump} {
		copy(code[at+1:], distance(gettimeofday.offset+at, clock.offset))
	}
	jump := append([]byte{0xe9}, distance(timeOf.offset, gettimeofday.offset+stubTime)...)
	if clock.size == 0 || gettimeofday.size < len(code) || timeOf.size < len(jump) {
		return nil, errors.New("this kernel's vDSO has no room for the shifted clock")
	}
	patches := []patch{
		{gettimeofday.offset, code},
		{timeOf.offset, jump},
	}
	// Programs look the function up when they start, which is after we have stopped them at exec.
	address := make([]byte, 8)
	binary.LittleEndian.PutUint64(address, uint64(gettimeofday.offset+stubClock))
	for _, name := range []string{"__vdso_clock_gettime", "clock_gettime"} {
		if found, ok := functions[name]; ok {
			patches = append(patches, patch{found.entry, address})
		}
	}
	return patches, nil
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

// distance is the operand of a call or jump of five bytes.
func distance(from, to int64) []byte {
	operand := make([]byte, 4)
	binary.LittleEndian.PutUint32(operand, uint32(int32(to-from-5)))
	return operand
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
	entry  int64 // where the symbol table says the offset
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
		start := u64(section[24:])
		for at := start; at+24 <= start+u64(section[32:]); at += 24 {
			symbol := image[at:]
			name := names[u32(symbol):]
			end := 0
			for name[end] != 0 {
				end++
			}
			found[string(name[:end])] = function{int64(u64(symbol[8:])), int(u64(symbol[16:])), int64(at + 8)}
		}
	}
	return found
}

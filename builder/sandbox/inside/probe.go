package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// plannedNames are the variables with a meaning to Go or to the plan; all others are noise.
var plannedNames = map[string]bool{
	"CGO_ENABLED": true, "GO111MODULE": true, "GOARCH": true, "GOAMD64": true, "GOARM64": true, "GOCACHE": true, "GODEBUG": true,
	"GOENV": true, "GOFLAGS": true, "GOGC": true, "GOMAXPROCS": true, "GOMODCACHE": true, "GOOS": true, "GOPATH": true,
	"GOPROXY": true, "GOROOT": true, "GOSUMDB": true, "GONOSUMDB": true, "GOTELEMETRY": true, "GOTMPDIR": true, "GOTOOLCHAIN": true,
	"GOVCS": true, "GOWORK": true, "HOME": true, "LANG": true, "LC_ALL": true, "LOGNAME": true, "PATH": true,
	"SOURCE_DATE_EPOCH": true, "TMPDIR": true, "TZ": true, "USER": true, "GOMEMLIMIT": true,
}

// probeMain prints what a program inside sees of each dimension, as one JSON object of strings.
func probeMain() {
	cwd, _ := os.Getwd()
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	var name syscall.Utsname
	syscall.Uname(&name)
	zone, offset := time.Now().Zone()
	text, err := json.Marshal(map[string]string{
		"source-path":       cwd,
		"module-cache-path": seenDir("GOMODCACHE"),
		"build-cache-path":  seenDir("GOCACHE"),
		"goroot":            seenDir("GOROOT"),
		"home":              seenDir("HOME"),
		"tmpdir":            seenDir("TMPDIR"),
		"user":              strconv.Itoa(os.Getuid()) + " " + os.Getenv("USER"),
		"group":             strconv.Itoa(os.Getgid()),
		"umask":             "0" + strconv.FormatInt(int64(mask), 8),
		"hostname":          chars(name.Nodename[:]),
		"domainname":        chars(name.Domainname[:]),
		"timezone":          os.Getenv("TZ") + " (" + zone + ", " + strconv.Itoa(offset) + " s)",
		"locale":            os.Getenv("LANG") + " " + os.Getenv("LC_ALL"),
		"environment":       noise(),
		"path-order":        os.Getenv("PATH"),
		"cpu-count":         strconv.Itoa(runtime.NumCPU()),
		"gc":                os.Getenv("GOGC"),
		"directory-order":   directoryOrder("."),
		"file-times":        fileTime("."),
		"scratch-size":      scratchSize("."),
		"kernel-release":    chars(name.Release[:]),
		"aslr":              addresses(),
		"terminal":          terminal(),
		"process-ids":       "from " + strconv.Itoa(os.Getpid()/1000*1000),
		"uptime":            strconv.FormatInt(bootSeconds(), 10) + " s",
		"time":              time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"memory-size":       memorySize(),
	})
	must("writing what was seen", err)
	os.Stdout.Write(append(text, '\n'))
}

func seenDir(variable string) string {
	path := os.Getenv(variable)
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return path + " (not there)"
	}
	return path
}

// chars reads a C string of the kernel's, whose element type differs between architectures.
func chars[T int8 | uint8](from []T) string {
	var text []byte
	for _, c := range from {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}

func noise() string {
	var found []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !plannedNames[name] {
			found = append(found, entry)
		}
	}
	sort.Strings(found)
	return strings.Join(found, " ")
}

// directoryOrder names the first entries in the order of the kernel, and a digest of the whole order.
func directoryOrder(path string) string {
	dir, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return strings.Join(names, " ") + " (" + hex.EncodeToString(sum[:4]) + ")"
}

func fileTime(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return info.ModTime().UTC().Format(time.RFC3339)
}

func scratchSize(path string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return err.Error()
	}
	return strconv.FormatUint(stat.Blocks*uint64(stat.Bsize)>>20, 10) + " MiB"
}

func addresses() string {
	persona, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, 0xffffffff, 0, 0)
	if persona&personaNoRandom != 0 {
		return "fixed"
	}
	return "random"
}

func terminal() string {
	var mode syscall.Termios
	if ioctl(os.Stdin, syscall.TCGETS, unsafe.Pointer(&mode)) == nil {
		return "standard input is a private terminal"
	}
	return "standard input is /dev/null, no terminal"
}

func bootSeconds() int64 {
	const clockBoottime = 7
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&now)), 0)
	return now.Sec
}

func memorySize() string {
	var info syscall.Sysinfo_t
	syscall.Sysinfo(&info)
	return strconv.FormatUint(uint64(info.Totalram)*uint64(info.Unit)>>20, 10) + " MiB"
}

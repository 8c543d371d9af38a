package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// containMain is PID 1 of a container that an engine has made as the driver asked. It believes nothing of that: what the
// engine was told is looked at from inside. Plan and source come over standard input, outputs leave over standard
// output, so that no directory of the host is written to, and none is seen but the read-only inputs. From then on it is
// init's code.
func containMain() {
	if os.Getpid() != 1 {
		fail("contain must be the first process of a container")
	}
	runtime.LockOSThread()
	surviveSignals()
	input := bufio.NewReaderSize(os.Stdin, 64<<10)
	spec := readContainedSpec(input)
	closeInherited()
	assertContained(spec)
	syscall.Umask(0o022)
	if spec.Preflight {
		emit(Event{Event: "power", Refused: tryPowers()})
	}
	// The steps run as the same user: without this they could write into our memory and speak in our name.
	must("hiding our memory", rawCall(syscall.SYS_PRCTL, prSetDumpable, 0))
	receiveSource(spec, input)
	for _, file := range spec.Files {
		writeFile(spec, file)
	}
	go dieInSilence(input)
	runSteps(spec)
	emit(Event{Event: "done", Files: eachOutput(spec, sendOutput)})
}

// longestSilence is many times the driver's heartbeat (HEARTBEAT_MS in oci.ts).
const longestSilence = 30 * time.Second

// dieInSilence ends the container when the driver's side of the pipe is closed, and when nothing comes any more: an
// engine that was killed leaves the pipe open.
func dieInSilence(pipe io.Reader) {
	heard := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-heard:
			case <-time.After(longestSilence):
				fail("nothing was heard of the driver for " + longestSilence.String())
			}
		}
	}()
	beat := make([]byte, 64)
	for {
		if _, err := pipe.Read(beat); err != nil {
			os.Exit(exitSetup)
		}
		heard <- struct{}{}
	}
}

const (
	prSetDumpable = 4
	prGetNoNew    = 39
)

func readContainedSpec(input *bufio.Reader) Spec {
	line, err := input.ReadBytes('\n')
	must("reading the plan", err)
	var spec Spec
	must("reading the plan", json.Unmarshal(line, &spec))
	return spec
}

// assertContained ends everything when the engine gave more than was asked for, whatever its settings say.
func assertContained(spec Spec) {
	assertNoCapabilities()
	set, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, prGetNoNew, 0, 0)
	groups, err := syscall.Getgroups()
	must("reading groups", err)
	var name syscall.Utsname
	must("reading the host name", syscall.Uname(&name))
	switch {
	case set != 1:
		refuseEngine("it left the right to gain privileges")
	case os.Getuid() != spec.UID || os.Getgid() != spec.GID:
		refuseEngine("it started another user than was asked for")
	case len(groups) > 1 || len(groups) == 1 && groups[0] != spec.GID:
		refuseEngine("it left other groups")
	case chars(name.Nodename[:]) != spec.Hostname:
		refuseEngine("it set another host name")
	}
	assertNoNetwork()
	assertMounts(spec)
}

func refuseEngine(what string) {
	refuse("ENGINE_TOO_GENEROUS", "the container engine did not do as it was told: "+what)
}

func assertNoNetwork() {
	text, err := os.ReadFile("/proc/self/net/dev")
	must("reading network interfaces", err)
	for _, line := range strings.Split(string(text), "\n") {
		name, _, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(name) != "lo" {
			refuseEngine("there is a network interface")
		}
	}
}

// engineMounts are what an engine mounts by itself; all else must be ours. A directory stands for all below it.
var engineMounts = []string{"/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv", "/run/secrets"}

// assertMounts compares the mount points with those that were asked for: an engine's own settings may add volumes. What
// is not the scratch must be read-only.
func assertMounts(spec Spec) {
	asked := map[string]bool{}
	for _, path := range spec.Mounts {
		asked[path] = true
	}
	writable := map[string]bool{}
	for _, path := range writableDirs(spec) {
		writable[path] = true
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	must("reading mounts", err)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		path, readOnly := fields[4], strings.HasPrefix(fields[5]+",", "ro,")
		known := asked[path] || path == "/"
		for _, own := range engineMounts {
			known = known || path == own || strings.HasPrefix(path, own+"/")
		}
		if !known && !writable[path] {
			refuseEngine("something is mounted on " + path)
		}
		if (asked[path] || path == "/") && !writable[path] && !readOnly {
			refuseEngine(path + " can be written to")
		}
	}
}

// writableDirs are the sandbox's directories that a step may write to.
func writableDirs(spec Spec) []string {
	dirs := append([]string{spec.Source.To, spec.OutputFrom}, spec.Writable...)
	for _, step := range spec.Steps {
		dirs = append(dirs, step.Fresh...)
	}
	return dirs
}

// sourceEntry is one line of the stream; a file's bytes follow it. The last one has no path.
type sourceEntry struct {
	Path       string `json:"path"`
	Kind       string `json:"kind"` // dir, file, link
	Executable bool   `json:"executable"`
	SizeBytes  int64  `json:"sizeBytes"`
	Target     string `json:"target"`
}

// receiveSource writes the source as it comes: the driver sends it in the planned order.
func receiveSource(spec Spec, input *bufio.Reader) {
	writer := newSourceWriter(spec)
	for {
		line, err := input.ReadBytes('\n')
		must("receiving the source", err)
		var entry sourceEntry
		must("receiving the source", json.Unmarshal(line, &entry))
		if entry.Path == "" {
			break
		}
		if leavesTree(entry.Path) {
			refuse("SOURCE_UNSAFE", entry.Path+" leaves the source")
		}
		switch entry.Kind {
		case "dir":
			writer.dir(entry.Path)
		case "link":
			writer.link(entry.Path, entry.Target)
		case "file":
			body := &io.LimitedReader{R: input, N: entry.SizeBytes}
			writer.file(entry.Path, entry.Executable, body)
			if body.N != 0 {
				fail("receiving the source: it ended early")
			}
		default:
			refuse("SOURCE_UNSAFE", entry.Path+" is neither a file, a directory nor a link")
		}
	}
	writer.finish()
}

func leavesTree(path string) bool {
	for _, part := range strings.Split(path, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return false
}

// sendOutput announces a file and lets its bytes follow the line.
func sendOutput(name string, in *os.File, info os.FileInfo) {
	emit(Event{Event: "file", Name: name, SizeBytes: info.Size(), Executable: info.Mode()&0o100 != 0})
	eventLock.Lock()
	defer eventLock.Unlock()
	sent, err := io.Copy(os.Stdout, io.LimitReader(in, info.Size()))
	must("sending the output "+name, err)
	if sent != info.Size() {
		fail("sending the output " + name + ": it became shorter")
	}
}

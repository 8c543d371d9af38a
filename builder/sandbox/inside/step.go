package main

import (
	"encoding/json"
	"os"
	"sync"
	"syscall"
	"time"
)

// runStep runs one step to its end, kills whatever it left behind and reports. It returns false when the steps after
// it must not run.
func runStep(spec Spec, step Step) bool {
	for _, dir := range step.Fresh {
		assertEmpty(spec, dir)
	}
	streams := openStreams(spec)
	pid, config := startStage(spec, streams)
	streams.closeChildSide()
	sendConfig(spec, step, config)
	emit(Event{Event: "start", Step: step.ID})
	relayed := make(chan struct{})
	go func() { streams.relay(step.ID); close(relayed) }()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Add(2)
	go func() { watchGraph(step, stop); watching.Done() }()
	go func() { watchWritten(spec, step, stop); watching.Done() }()
	status, usage := waitFor(pid)
	killAll()
	close(stop)
	watching.Wait() // nothing may come between a file's line and its bytes
	select {
	case <-relayed:
	case <-time.After(5 * time.Second):
	}
	streams.close()
	event := Event{Event: "exit", Step: step.ID, PeakRSS: usage.Maxrss * 1024, CPUMs: (usage.Utime.Nano() + usage.Stime.Nano()) / 1e6}
	if status.Signaled() {
		event.Signal = status.Signal().String()
	} else {
		code := status.ExitStatus()
		event.Exit = &code
	}
	emit(event)
	return event.Exit != nil && *event.Exit == 0
}

// assertEmpty is the executor's own word that the build's cache is cold: the action graph is written by the build.
func assertEmpty(spec Spec, dir string) {
	entries, err := os.ReadDir(dir)
	must("reading "+dir, err)
	if len(entries) > 0 {
		refuse("CACHE_NOT_EMPTY", dir+" must be new and empty, and holds "+entries[0].Name())
	}
}

// startStage starts the stage as the build user: in a user namespace of its own, in which it is nobody special (the exec
// of a user other than root drops every capability), or, in a container, as who we are.
func startStage(spec Spec, streams *streams) (int, *os.File) {
	read, write, err := os.Pipe()
	must("making a pipe", err)
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if !spec.Contained {
		sys.Cloneflags = syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: spec.UID, HostID: spec.OwnerUID, Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: spec.GID, HostID: spec.OwnerGID, Size: 1}}
		sys.GidMappingsEnableSetgroups = false
		sys.Credential = &syscall.Credential{Uid: uint32(spec.UID), Gid: uint32(spec.GID), NoSetGroups: true}
	}
	if spec.Terminal {
		sys.Setctty, sys.Ctty = true, 0
	}
	attributes := &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: []uintptr{streams.stdin.Fd(), streams.stdout.Fd(), streams.stderr.Fd(), read.Fd()},
		Sys:   sys,
	}
	// The one namespace we are allowed is given back by the kernel some time after the last step's end.
	pid := 0
	for try := 0; ; try++ {
		pid, err = syscall.ForkExec(selfPath, []string{"inside", "stage"}, attributes)
		if err != syscall.ENOSPC || try == 1000 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	must("starting a step", err)
	read.Close()
	return pid, write
}

func sendConfig(spec Spec, step Step, to *os.File) {
	argv := step.Argv
	if argv[0] == "inside" {
		argv = append([]string{selfPath}, argv[1:]...)
	}
	text, err := json.Marshal(stageConfig{
		Argv: argv, Env: step.Env, Dir: step.Dir, Umask: spec.Umask, CPUs: spec.CPUs,
		Uname26: spec.Uname26, FixedAddresses: spec.FixedAddresses, Clock: spec.Clock,
		MaxFileBytes: spec.ScratchBytes,
	})
	must("sending the step", err)
	to.Write(text) // a stage that died already is seen by its exit status
	to.Close()
}

// waitFor waits for the stage and reaps every orphan that lands on PID 1 meanwhile.
func waitFor(main int) (syscall.WaitStatus, syscall.Rusage) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, 0, &usage)
		if err == syscall.EINTR {
			continue
		}
		must("waiting for a step", err)
		if pid == main && (status.Exited() || status.Signaled()) {
			return status, usage
		}
	}
}

// killAll ends every process but PID 1, so that nothing of one step is alive in the next.
func killAll() {
	for {
		err := syscall.Kill(-1, syscall.SIGKILL)
		if err == syscall.ESRCH {
			return
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(-1, &status, 0, nil); err == syscall.ECHILD {
			return
		}
	}
}

package main

import (
	"syscall"
	"time"
)

// watchWritten tells every second how many bytes lie in what the steps can write to: those take memory.
func watchWritten(spec Spec, step Step, stop <-chan struct{}) {
	dirs := append(append([]string{spec.Source.To}, spec.Writable...), step.Fresh...)
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		emit(Event{Event: "written", Step: step.ID, SizeBytes: bytesIn(dirs)})
	}
}

// bytesIn counts each file system once: all directories are parts of one, or in a container each is its own.
func bytesIn(dirs []string) int64 {
	counted := map[uint64]int64{}
	for _, dir := range dirs {
		var info syscall.Stat_t
		var space syscall.Statfs_t
		if syscall.Stat(dir, &info) == nil && syscall.Statfs(dir, &space) == nil {
			counted[uint64(info.Dev)] = int64(space.Blocks-space.Bfree) * int64(space.Bsize)
		}
	}
	total := int64(0)
	for _, bytes := range counted {
		total += bytes
	}
	return total
}

//go:build !amd64

package main

import (
	"errors"
	"syscall"
)

var errNoClock = errors.New("the clock can be shifted on amd64 only for now")

func waitExecMain(args []string) { fail(errNoClock.Error()) }
func printClockMain()            { fail(errNoClock.Error()) }
func traceMain(args []string)    { fail(errNoClock.Error()) }
func clockShiftPreflight() error { return errNoClock }

func traceAndRun(argv, env []string, dir string, seconds, nanos int64) (syscall.WaitStatus, syscall.Rusage, error) {
	return 0, syscall.Rusage{}, errNoClock
}

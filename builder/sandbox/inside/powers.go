package main

import (
	"runtime"
	"syscall"
)

// tryPowers tries what a container may refuse to a step: the reasons of what it does, by dimension.
func tryPowers() map[string]string {
	refused := map[string]string{}
	if err := clockShiftPreflight(); err != nil {
		refused["time"] = err.Error()
	}
	for dimension, persona := range map[string]uintptr{"kernel-release": personaUname26, "aslr": personaNoRandom} {
		if err := tryPersonality(persona); err != nil {
			refused[dimension] = "personality: " + err.Error()
		}
	}
	return refused
}

// tryPersonality sets it in a thread that ends with the goroutine.
func tryPersonality(persona uintptr) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- rawCall(syscall.SYS_PERSONALITY, persona)
	}()
	return <-result
}

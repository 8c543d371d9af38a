package main

import (
	"encoding/json"
	"os"
	"sync"
)

// Event is one line of JSON to the driver.
type Event struct {
	Event     string   `json:"event"` // ready, start, output, graph, written, exit, done, error; in a container also power, file
	Step      string   `json:"step,omitempty"`
	Text      string   `json:"text,omitempty"`
	Exit      *int     `json:"exit,omitempty"`
	Signal    string   `json:"signal,omitempty"`
	PeakRSS   int64    `json:"peakRssBytes,omitempty"`
	CPUMs     int64    `json:"cpuMs,omitempty"` // user and system, of the step and all that it waited for
	Packages  []string `json:"packages,omitempty"`
	Files     []string `json:"files,omitempty"`
	SizeBytes int64    `json:"sizeBytes,omitempty"` // of a file, or of all that is written
	// A file's bytes follow its line.
	Name       string            `json:"name,omitempty"`
	Executable bool              `json:"executable,omitempty"`
	Refused    map[string]string `json:"refused,omitempty"`
}

var eventLock sync.Mutex

func emit(event Event) {
	line, err := json.Marshal(event)
	must("writing an event", err)
	eventLock.Lock()
	defer eventLock.Unlock()
	_, err = os.Stdout.Write(append(line, '\n'))
	must("writing an event", err)
}

// refuse ends the sandbox with a reason that the driver turns into an error of the given code.
func refuse(code, message string) {
	emit(Event{Event: "error", Step: code, Text: message})
	os.Exit(exitSetup)
}

package main

import (
	"encoding/json"
	"os"
	"time"
)

// watchGraph reports the packages of the action graph once the go command has written it. The file is not written
// atomically, so a parse that fails is tried again.
func watchGraph(step Step, stop <-chan struct{}) {
	if step.Graph == "" {
		return
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		text, err := os.ReadFile(step.Graph)
		if err != nil || len(text) == 0 {
			continue
		}
		var actions []struct {
			Mode    string
			Package string
		}
		if json.Unmarshal(text, &actions) != nil {
			continue
		}
		var packages []string
		for _, action := range actions {
			if action.Mode == "build" {
				packages = append(packages, action.Package)
			}
		}
		emit(Event{Event: "graph", Step: step.ID, Packages: packages})
		return
	}
}

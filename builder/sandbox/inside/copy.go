package main

import (
	"io"
	"os"
)

// copyMain is a step of a plan: it puts a file beside the program that was built.
func copyMain(args []string) {
	if len(args) != 2 {
		fail("usage: inside copy FROM TO")
	}
	from, err := os.Open(args[0])
	if err == nil {
		defer from.Close()
		var to *os.File
		if to, err = os.OpenFile(args[1], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
			if _, err = io.Copy(to, from); err == nil {
				err = to.Close()
			}
		}
	}
	if err != nil {
		os.Stderr.WriteString("copying an output: " + err.Error() + "\n")
		os.Exit(1)
	}
}

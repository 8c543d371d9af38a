package main

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// streams are a step's standard input, output and error: /dev/null and pipes, or a private terminal.
type streams struct {
	stdin, stdout, stderr *os.File   // the step's side
	readers               []*os.File // our side
}

func openStreams(spec Spec) *streams {
	if spec.Terminal {
		return openTerminal()
	}
	stdin, err := os.Open("/dev/null")
	must("opening /dev/null", err)
	outRead, outWrite, err := os.Pipe()
	must("making a pipe", err)
	errRead, errWrite, err := os.Pipe()
	must("making a pipe", err)
	return &streams{stdin, outWrite, errWrite, []*os.File{outRead, errRead}}
}

// openTerminal opens a pair of the sandbox's own devpts: the host's terminals do not exist there.
func openTerminal() *streams {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must("opening a terminal", err)
	var number, unlock int32
	must("opening a terminal", ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)))
	must("opening a terminal", ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)))
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	must("opening a terminal", err)
	// Output is passed through as it is; a carriage return before each line feed would end up in logs.
	var mode syscall.Termios
	must("opening a terminal", ioctl(slave, syscall.TCGETS, unsafe.Pointer(&mode)))
	mode.Oflag &^= syscall.OPOST
	must("opening a terminal", ioctl(slave, syscall.TCSETS, unsafe.Pointer(&mode)))
	return &streams{slave, slave, slave, []*os.File{master}}
}

func ioctl(file *os.File, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func (s *streams) closeChildSide() {
	s.stdin.Close()
	if s.stdout != s.stdin {
		s.stdout.Close()
		s.stderr.Close()
	}
}

func (s *streams) close() {
	for _, reader := range s.readers {
		reader.Close()
	}
}

// relay passes whole lines on until the step's side is closed (a terminal then reads as EIO).
func (s *streams) relay(step string) {
	var all sync.WaitGroup
	for _, reader := range s.readers {
		all.Add(1)
		go func(reader *os.File) {
			defer all.Done()
			relayLines(reader, step)
		}(reader)
	}
	all.Wait()
}

func relayLines(reader *os.File, step string) {
	buffer := make([]byte, 64<<10)
	var rest []byte
	for {
		n, err := reader.Read(buffer)
		rest = append(rest, buffer[:n]...)
		if end := bytes.LastIndexByte(rest, '\n'); end >= 0 {
			emit(Event{Event: "output", Step: step, Text: string(rest[:end+1])})
			rest = append([]byte(nil), rest[end+1:]...)
		} else if len(rest) > len(buffer) {
			emit(Event{Event: "output", Step: step, Text: string(rest)})
			rest = nil
		}
		if err != nil {
			break
		}
	}
	if len(rest) > 0 {
		emit(Event{Event: "output", Step: step, Text: string(rest)})
	}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// eachOutput hands over the named files that exist as regular files; every process of the build is dead by then.
// Nothing else leaves the sandbox.
func eachOutput(spec Spec, deliver func(name string, in *os.File, info os.FileInfo)) []string {
	left := spec.MaxOutputBytes
	var delivered []string
	for _, name := range spec.Outputs {
		fd, err := syscall.Open(filepath.Join(spec.OutputFrom, name), syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
		if err == syscall.ENOENT {
			continue
		}
		if err != nil {
			refuse("OUTPUT_UNSAFE", "opening the output "+name+": "+err.Error())
		}
		in := os.NewFile(uintptr(fd), name)
		info, err := in.Stat()
		must("reading the output "+name, err)
		if !info.Mode().IsRegular() {
			refuse("OUTPUT_UNSAFE", "the output "+name+" is not a regular file")
		}
		left -= info.Size()
		if left < 0 {
			refuse("OUTPUT_TOO_LARGE", "the outputs are larger than the limit")
		}
		deliver(name, in, info)
		in.Close()
		delivered = append(delivered, name)
	}
	return delivered
}

func copyOutput(to *os.File, name string, in *os.File, info os.FileInfo) {
	out, err := openAt(to, name, info.Mode())
	must("writing the output "+name, err)
	_, err = io.Copy(out, io.LimitReader(in, info.Size()))
	must("writing the output "+name, err)
	must("writing the output "+name, out.Sync())
	must("writing the output "+name, out.Close())
}

// openAt makes a file whose mode tells only whether it can be run: the build's umask is one of the variations.
func openAt(dir *os.File, name string, like os.FileMode) (*os.File, error) {
	mode := uint32(0o644)
	if like&0o100 != 0 {
		mode = 0o755
	}
	fd, err := syscall.Openat(int(dir.Fd()), name, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"
	"unsafe"
)

// copySource copies the host's tree into the scratch. A tmpfs lists a directory in the reverse order of creation, so the
// order of copying is the order that a program will read.
func copySource(spec Spec) {
	if spec.Source.From == "" {
		return
	}
	writer := newSourceWriter(spec)
	writer.walk(spec.Source.From, "")
	writer.finish()
}

// sourceWriter writes the entries of a source tree, wherever they come from, with one owner and one time.
type sourceWriter struct {
	spec  Spec
	to    string
	dirs  []string // their times are set last: an entry that is added changes them
	stamp []syscall.Timeval
}

func newSourceWriter(spec Spec) *sourceWriter {
	when := syscall.NsecToTimeval(time.Unix(spec.Source.TimeSeconds, 0).UnixNano())
	to := spec.Root + spec.Source.To
	return &sourceWriter{spec: spec, to: to, dirs: []string{to}, stamp: []syscall.Timeval{when, when}}
}

func (w *sourceWriter) walk(from, below string) {
	entries, err := os.ReadDir(filepath.Join(from, below))
	must("copying the source", err)
	if w.spec.Source.ReverseOrder {
		sort.Slice(entries, func(i, j int) bool { return entries[i].Name() > entries[j].Name() })
	}
	for _, entry := range entries {
		name := filepath.Join(below, entry.Name())
		switch {
		case entry.IsDir():
			w.dir(name)
			w.walk(from, name)
		case entry.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(filepath.Join(from, name))
			must("copying the source", err)
			w.link(name, target)
		case entry.Type().IsRegular():
			in, err := os.Open(filepath.Join(from, name))
			must("copying the source", err)
			info, err := in.Stat()
			must("copying the source", err)
			w.file(name, info.Mode()&0o100 != 0, in)
			in.Close()
		default:
			refuse("SOURCE_UNSAFE", entry.Name()+" is neither a file, a directory nor a link")
		}
	}
}

func (w *sourceWriter) dir(name string) {
	path := filepath.Join(w.to, name)
	must("copying the source", os.Mkdir(path, 0o755))
	w.dirs = append(w.dirs, path)
}

func (w *sourceWriter) link(name, target string) {
	path := filepath.Join(w.to, name)
	must("copying the source", os.Symlink(target, path))
	must("owning the source", os.Lchown(path, w.spec.OwnerUID, w.spec.OwnerGID))
	must("setting file times", setLinkTime(path, w.spec.Source.TimeSeconds))
}

// setLinkTime sets the times of a link itself; the syscall package only knows how to follow it.
func setLinkTime(path string, seconds int64) error {
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	times := [2]syscall.Timespec{{Sec: seconds}, {Sec: seconds}}
	const atFdCwd, symlinkNoFollow = -100, 0x100
	dir := atFdCwd
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_UTIMENSAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(&times)), symlinkNoFollow, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func (w *sourceWriter) file(name string, executable bool, from io.Reader) {
	path := filepath.Join(w.to, name)
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	must("copying the source", err)
	_, err = io.Copy(out, from)
	must("copying the source", err)
	must("copying the source", out.Close())
	w.own(path)
}

func (w *sourceWriter) finish() {
	for i := len(w.dirs) - 1; i >= 0; i-- {
		w.own(w.dirs[i])
	}
}

func (w *sourceWriter) own(path string) {
	must("owning the source", os.Chown(path, w.spec.OwnerUID, w.spec.OwnerGID))
	must("setting file times", syscall.Utimes(path, w.stamp))
}

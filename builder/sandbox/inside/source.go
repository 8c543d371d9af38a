package main

import (
	"io"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"
)

// openSource opens the host's tree before the host disappears.
func openSource(spec Spec) string { return spec.Source.From }

// copySource copies the tree into the scratch. A tmpfs lists a directory in the reverse order of creation, so the
// order of copying is the order that a program will read.
func copySource(spec Spec, from string) {
	if from == "" {
		return
	}
	copier := sourceCopier{spec: spec, when: time.Unix(spec.Source.TimeSeconds, 0)}
	copier.dir(from, spec.Root+spec.Source.To)
}

type sourceCopier struct {
	spec Spec
	when time.Time
}

func (c sourceCopier) dir(from, to string) {
	entries, err := os.ReadDir(from)
	must("copying the source", err)
	if c.spec.Source.ReverseOrder {
		sort.Slice(entries, func(i, j int) bool { return entries[i].Name() > entries[j].Name() })
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		switch {
		case entry.IsDir():
			must("copying the source", os.Mkdir(target, 0o755))
			c.dir(source, target)
		case entry.Type()&os.ModeSymlink != 0:
			link, err := os.Readlink(source)
			must("copying the source", err)
			must("copying the source", os.Symlink(link, target))
			must("owning the source", os.Lchown(target, c.spec.OwnerUID, c.spec.OwnerGID))
		case entry.Type().IsRegular():
			c.file(source, target)
		default:
			refuse("SOURCE_UNSAFE", entry.Name()+" is neither a file, a directory nor a link")
		}
	}
	c.finish(to)
}

func (c sourceCopier) file(from, to string) {
	in, err := os.Open(from)
	must("copying the source", err)
	defer in.Close()
	info, err := in.Stat()
	must("copying the source", err)
	mode := os.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	must("copying the source", err)
	_, err = io.Copy(out, in)
	must("copying the source", err)
	must("copying the source", out.Close())
	c.finish(to)
}

func (c sourceCopier) finish(path string) {
	must("owning the source", os.Chown(path, c.spec.OwnerUID, c.spec.OwnerGID))
	stamp := []syscall.Timeval{syscall.NsecToTimeval(c.when.UnixNano()), syscall.NsecToTimeval(c.when.UnixNano())}
	must("setting file times", syscall.Utimes(path, stamp))
}

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const scratchDir = "/.scratch"

// Device nodes are bound from the host: a user namespace may not make them.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// buildRoot makes the root file system below spec.Root: a small tmpfs with nothing but the inputs, read-only, and one
// scratch tmpfs of limited size of which each writable directory is a part.
func buildRoot(spec Spec) {
	root := spec.Root
	must("mounting the root", syscall.Mount("tmpfs", root, "tmpfs", syscall.MS_NOSUID, "mode=0755,size=16m"))
	if spec.Rootfs != "" {
		must("laying the root over the compiler's (Linux 5.11 or newer)", overlayRoot(spec.Rootfs, root))
	}
	makeInside(root, scratchDir)
	must("mounting the scratch", syscall.Mount("tmpfs", root+scratchDir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV,
		"mode=0755,nr_inodes=0,size="+strconv.FormatInt(spec.ScratchBytes, 10)))
	for _, bind := range spec.Binds {
		bindReadOnly(bind.From, root, bind.To)
	}
	for _, dir := range append([]string{spec.Source.To, spec.OutputFrom}, spec.Writable...) {
		bindScratch(spec, dir)
	}
	for _, step := range spec.Steps {
		for _, dir := range step.Fresh {
			bindScratch(spec, dir)
		}
	}
	mountDevices(root)
	must("mounting /proc", mountProc(makeInside(root, "/proc")))
}

// mountProc shows processes only, and of those only what the looker may trace: not PID 1, which knows host paths.
func mountProc(path string) error {
	const flags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	if syscall.Mount("proc", path, "proc", flags, "subset=pid,hidepid=ptraceable") == nil {
		return nil
	}
	return syscall.Mount("proc", path, "proc", flags, "subset=pid")
}

// makeInside makes a directory below the root, step by step: a link in the compiler's root file system must not lead a
// mount or a file of ours to the host.
func makeInside(root, path string) string {
	at := root
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		if name == "" || name == "." || name == ".." {
			fail(path + " is not a clean path")
		}
		at += "/" + name
		info, err := os.Lstat(at)
		if os.IsNotExist(err) {
			err = os.Mkdir(at, 0o755)
		} else if err == nil && !info.IsDir() {
			refuse("ROOTFS_UNFIT", "the compiler's root file system has "+strings.TrimPrefix(at, root)+", which is no directory; the sandbox needs "+path)
		}
		must("making "+path, err)
	}
	return at
}

func makeDir(path string) { must("making "+path, os.MkdirAll(path, 0o755)) }

func bindScratch(spec Spec, dir string) {
	from := spec.Root + scratchDir + dir
	if _, err := os.Stat(from); err == nil {
		return
	}
	makeDir(from)
	must("owning "+dir, os.Chown(from, spec.OwnerUID, spec.OwnerGID))
	must("binding "+dir, syscall.Mount(from, makeInside(spec.Root, dir), "", syscall.MS_BIND, ""))
}

func writeFile(spec Spec, file File) {
	path := spec.Root + file.Path
	for dir := filepath.Dir(file.Path); dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(spec.Root + dir); err == nil {
			break
		}
		defer os.Lchown(spec.Root+dir, spec.OwnerUID, spec.OwnerGID)
	}
	makeInside(spec.Root, filepath.Dir(file.Path))
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	must("writing "+file.Path, err)
	_, err = out.WriteString(file.Text)
	must("writing "+file.Path, err)
	must("writing "+file.Path, out.Close())
	must("owning "+file.Path, os.Lchown(path, spec.OwnerUID, spec.OwnerGID))
}

func bindReadOnly(from, root, path string) {
	to := root + path
	info, err := os.Stat(from)
	must("binding "+from, err)
	if info.IsDir() {
		makeInside(root, path)
		if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
			refuse("ROOTFS_UNFIT", "the compiler's root file system has files in "+path+", where the sandbox puts an input")
		}
		if overlayReadOnly(from, to) == nil {
			return
		}
	} else {
		makeInside(root, filepath.Dir(path))
		file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL, 0o444)
		must("binding "+from, err)
		must("binding "+from, file.Close())
	}
	must("binding "+from, syscall.Mount(from, to, "", syscall.MS_BIND, ""))
	must("making "+to+" read-only", remountReadOnly(to, syscall.MS_NODEV))
}

// overlayReadOnly shows a directory through an overlay whose layers are named by descriptor: unlike a bind, it does not
// tell the host's path in mountinfo. Kernels before 5.11 refuse it in a user namespace.
func overlayReadOnly(from, to string) error {
	lower, err := os.Open(from)
	if err != nil {
		return err
	}
	defer lower.Close()
	empty, err := os.Open(to) // a mount needs two layers, and the mount point is still empty
	if err != nil {
		return err
	}
	defer empty.Close()
	layer := func(file *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(file.Fd())) }
	return syscall.Mount("overlay", to, "overlay", syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV,
		"lowerdir="+layer(lower)+":"+layer(empty))
}

// overlayRoot shows a host directory at the root: what we make there ourselves goes into the root's own tmpfs.
func overlayRoot(lower, root string) error {
	options := "userxattr"
	for _, layer := range []struct{ name, path string }{
		{"lowerdir", lower}, {"upperdir", root + "/upper"}, {"workdir", root + "/work"},
	} {
		if layer.path != lower {
			makeDir(layer.path)
		}
		dir, err := os.Open(layer.path)
		if err != nil {
			return err
		}
		defer dir.Close()
		options += "," + layer.name + "=/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
	}
	return syscall.Mount("overlay", root, "overlay", syscall.MS_NOSUID|syscall.MS_NODEV, options)
}

// remountReadOnly keeps the flags that the kernel locks in a user namespace, else it would refuse.
func remountReadOnly(path string, more uintptr) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return err
	}
	const statNoExec, statNoATime, statNoDirATime, statRelATime = 0x8, 0x400, 0x800, 0x1000
	flags := uintptr(syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID) | more
	for _, pair := range [][2]uintptr{
		{statNoExec, syscall.MS_NOEXEC},
		{statNoATime, syscall.MS_NOATIME},
		{statNoDirATime, syscall.MS_NODIRATIME},
		{statRelATime, syscall.MS_RELATIME},
	} {
		if uintptr(stat.Flags)&pair[0] != 0 {
			flags |= pair[1]
		}
	}
	return syscall.Mount("", path, "", flags, "")
}

func mountDevices(root string) {
	makeInside(root, "/dev/pts")
	for _, name := range devices {
		target := root + "/dev/" + name
		file, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL, 0o666)
		must("making "+target, err)
		must("making "+target, file.Close())
		must("binding /dev/"+name, syscall.Mount("/dev/"+name, target, "", syscall.MS_BIND, ""))
		// A device can be written to all the same, but its times are the host's, and not for a step to set.
		must("protecting /dev/"+name, remountReadOnly(target, 0))
	}
	must("mounting /dev/pts", syscall.Mount("devpts", root+"/dev/pts", "devpts",
		syscall.MS_NOSUID|syscall.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0666"))
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		must("linking /dev/"+name, os.Symlink(target, root+"/dev/"+name))
	}
}

// enterRoot leaves the host's file system for good.
func enterRoot(spec Spec) {
	must("leaving the scratch", syscall.Unmount(spec.Root+scratchDir, syscall.MNT_DETACH))
	must("removing the scratch's name", os.Remove(spec.Root+scratchDir))
	if spec.Source.ReadOnly {
		must("making the source read-only", remountReadOnly(spec.Root+spec.Source.To, syscall.MS_NODEV))
	}
	must("entering the root", os.Chdir(spec.Root))
	must("entering the root", syscall.PivotRoot(".", "."))
	must("leaving the host", syscall.Unmount(".", syscall.MNT_DETACH))
	must("entering the root", os.Chdir("/"))
	must("making the root read-only", remountReadOnly("/", syscall.MS_NODEV))
	if spec.Rootfs == "" {
		// A bind of the root's own tmpfs alone stays writable through another mount of it; there is none.
		must("making the root read-only", syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID, "mode=0755,size=16m"))
	}
}

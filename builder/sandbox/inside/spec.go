package main

// Spec is what the driver asks for: as JSON in a file that only init reads, or, in a container, as the first line of
// standard input, without any path of the host. Paths named from* are the host's, all others are the sandbox's. Its
// TypeScript twin is SandboxSpec in driver.ts.
type Spec struct {
	Hostname           string   `json:"hostname"`
	Domainname         string   `json:"domainname"`
	Root               string   `json:"root"`               // empty host directory to mount the root on
	ScratchBytes       int64    `json:"scratchBytes"`       // limit of everything writable
	OuterUserNamespace bool     `json:"outerUserNamespace"` // false when started through sudo
	Contained          bool     `json:"contained"`          // a container engine has made the sandbox
	Preflight          bool     `json:"preflight"`          // in a container: try what it allows, and tell
	Mounts             []string `json:"mounts"`             // in a container: where the engine was told to mount something
	OwnerUID           int      `json:"ownerUid"`           // id, in init's namespace, that the build user is mapped to
	OwnerGID           int      `json:"ownerGid"`
	UID                int      `json:"uid"` // ids the build sees
	GID                int      `json:"gid"`
	Umask              int      `json:"umask"`
	CPUs               []int    `json:"cpus"` // processors it may use; empty: all
	Uname26            bool     `json:"uname26"`
	FixedAddresses     bool     `json:"fixedAddresses"`
	Terminal           bool     `json:"terminal"`
	FirstPID           int      `json:"firstPid"` // process ids count from here; 0 leaves them
	Clock              *Clock   `json:"clock"`
	Rootfs             string   `json:"rootfs"` // host directory that lies at / below everything else; empty: nothing
	Binds              []Bind   `json:"binds"`
	Source             Source   `json:"source"`
	Writable           []string `json:"writable"` // directories that last for the whole sandbox
	Files              []File   `json:"files"`    // small files below writable directories
	Steps              []Step   `json:"steps"`
	OutputFrom         string   `json:"outputFrom"` // directory of the sandbox
	OutputTo           string   `json:"outputTo"`   // directory of the host
	Outputs            []string `json:"outputs"`    // file names in both
	MaxOutputBytes     int64    `json:"maxOutputBytes"`
}

type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

type Clock struct {
	Seconds int64 `json:"seconds"`
	Nanos   int64 `json:"nanos"`
}

// Bind is a file or directory of the host, seen read-only.
type Bind struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Source is the tree that is copied in, so that directory order and file times are ours to choose.
type Source struct {
	From         string `json:"from"`
	To           string `json:"to"`
	ReverseOrder bool   `json:"reverseOrder"`
	TimeSeconds  int64  `json:"timeSeconds"`
	ReadOnly     bool   `json:"readOnly"`
}

type Step struct {
	ID   string   `json:"id"`
	Argv []string `json:"argv"` // argv[0] absolute, or "inside" for this program
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// Fresh directories are made new and empty just before the step, after every earlier process is dead.
	Fresh []string `json:"fresh"`
	// Graph is where the go command writes its action graph; its size is reported while the step runs.
	Graph string `json:"graph"`
}

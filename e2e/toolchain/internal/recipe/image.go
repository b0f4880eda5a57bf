package recipe

// An Image is one container image, written as a docker-archive tarball.
type Image struct {
	// Name is the file name in the output directory.
	Name string
	// Tag is the name inside the archive; {version} is the program's.
	Tag string
	// Program is the static binary that becomes /<Program>, the entrypoint.
	Program string
	// User is the numeric user:group that the container runs as.
	User string
	// Ports are documentation in the image's config, such as "8080/tcp".
	Ports []string
	// Applets are the names under /bin that busybox answers to; empty: no
	// busybox in the image, and so no shell.
	Applets []string
	// Needs are the Debian packages that the image takes files from.
	Needs []string
}

// applets is what a person types in `kubectl exec`, and what a test of pod
// networking and DNS needs.
var applets = []string{
	"ash", "cat", "cp", "date", "df", "dmesg", "echo", "env", "false", "find", "free", "grep", "head",
	"hostname", "id", "ip", "kill", "ls", "mkdir", "mount", "mv", "nc", "netstat", "nslookup", "ping",
	"ps", "pwd", "rm", "route", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat", "tail", "tar",
	"telnet", "test", "top", "touch", "tr", "traceroute", "true", "uname", "uptime", "vi", "wc",
	"wget", "which", "whoami", "xargs",
}

// Images returns the images to make.
//
// coredns runs as an ordinary user, without a file capability: containerd 2
// lets any user of a pod bind port 53 (enable_unprivileged_ports), and a file
// capability would stop the program from starting at all where a pod drops it.
func Images() []Image {
	const nonroot = "65532:65532"
	return []Image{
		{Name: "pause.tar", Tag: "provision.test/pause:{version}", Program: "pause", User: "65535:65535"},
		{
			Name: "coredns.tar", Tag: "provision.test/coredns:{version}", Program: "coredns", User: nonroot,
			Ports: []string{"53/tcp", "53/udp"},
		},
		{
			Name: "sample.tar", Tag: "provision.test/sample:{version}", Program: "sample", User: nonroot,
			Ports: []string{"8080/tcp"}, Applets: applets, Needs: []string{"busybox-static"},
		},
	}
}

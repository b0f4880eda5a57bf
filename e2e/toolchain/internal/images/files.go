package images

import (
	"fmt"
	"os"
	"strings"
)

// A file is one thing in a layer.
type file struct {
	name    string // absolute
	mode    int64
	content []byte
	link    string // a symbolic link's target
	folder  bool
}

// rootFiles are the few that programs expect: a name for the user, and /tmp.
func rootFiles(user string) []file {
	uid, gid, _ := strings.Cut(user, ":")
	passwd := "root:x:0:0:root:/:/bin/sh\n" + fmt.Sprintf("nonroot:x:%s:%s:nonroot:/:/bin/sh\n", uid, gid)
	group := "root:x:0:\n" + fmt.Sprintf("nonroot:x:%s:\n", gid)
	return []file{
		{name: "/etc/passwd", mode: 0o644, content: []byte(passwd)},
		{name: "/etc/group", mode: 0o644, content: []byte(group)},
		{name: "/tmp", mode: 0o1777, folder: true},
	}
}

func busyboxFiles(busybox string, applets []string) ([]file, error) {
	content, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("read busybox: %w", err)
	}
	files := []file{{name: "/bin/busybox", mode: 0o755, content: content}}
	for _, applet := range applets {
		files = append(files, file{name: "/bin/" + applet, mode: 0o777, link: "busybox"})
	}
	return files, nil
}

package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"provision/pkg/blueprint"
)

// ownTools are the programs that provision itself calls on a host, from
// pkg/converge/*.sh and pkg/doctor/doctor.sh; of several names one will do.
func ownTools() []string {
	return []string{
		"apt-get dnf yum", "base64", "cat", "chmod", "chown", "cp", "cut", "date", "df", "dpkg-query rpm",
		"flock", "grep", "gzip", "head", "id", "journalctl", "ln", "ls", "mkdir", "mv", "readlink", "rm", "rmdir", "sed",
		"sh", "sha256sum", "sleep", "stat", "sync", "systemctl", "tail", "timeout", "tr", "uname", "wc",
	}
}

// encode writes the sections that doctor.sh reads, in its order. Each question
// is one line, and a dot ends a section.
func encode(required blueprint.Requirements) ([]byte, error) {
	var out bytes.Buffer
	var errs []error
	section := func(lines []string) {
		for _, line := range lines {
			if line == "." || strings.ContainsAny(line, "\n\x00") {
				errs = append(errs, fmt.Errorf("%q can't be asked: it is not one line", line))
			}
			out.WriteString(line + "\n")
		}
		out.WriteString(".\n")
	}
	section(append(ownTools(), required.Tools...))
	var paths, features, ports []string
	for _, space := range required.Disk {
		paths = append(paths, space.Path)
	}
	for _, f := range required.Kernel {
		features = append(features, strings.Join([]string{f.Name, orDash(f.Config), orDash(f.Evidence)}, " "))
	}
	for _, port := range required.Ports {
		ports = append(ports, fmt.Sprintf("%04X", port.Number))
	}
	section(paths)
	section(features)
	section(ports)
	return out.Bytes(), errors.Join(errs...)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

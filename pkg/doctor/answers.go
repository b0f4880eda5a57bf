package doctor

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const beginMark = "== begin "

// beginning is where the script's first line begins, once it is there whole;
// before that, -1.
func beginning(output []byte) int {
	at := 0
	if !bytes.HasPrefix(output, []byte(beginMark)) {
		at = bytes.Index(output, []byte("\n"+beginMark)) + 1
		if at == 0 {
			return -1
		}
	}
	if bytes.IndexByte(output[at:], '\n') < 0 {
		return -1
	}
	return at
}

// parse reads what the script printed. An output that was cut off is an error.
func parse(output []byte) (*Facts, error) {
	at := beginning(output)
	if at < 0 {
		return nil, fmt.Errorf("the host did not answer as expected; it printed %q", excerpt(output))
	}
	facts := &Facts{
		Noise: string(output[:at]), MissingTools: map[string]bool{}, Disks: map[string]Disk{},
		Features: map[string]string{}, Processes: map[int]Process{},
	}
	section, whole := "", false
	var paths, mounts []string
	for line := range strings.Lines(string(output[at:])) {
		line = strings.TrimSuffix(line, "\n")
		if time, ok := strings.CutPrefix(line, beginMark); ok && section == "" {
			facts.Clock.Host = parseTime(time)
		}
		if heading, ok := strings.CutPrefix(line, "== "); ok {
			section, whole = heading, heading == "end"
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		switch section {
		case "login":
			facts.Login.parse(key, value)
		case "system":
			facts.System.parse(key, value)
		case "tools":
			facts.MissingTools[line] = true
		case "disks":
			paths = append(paths, value)
		case "df":
			mounts = append(mounts, line)
		case "kernel":
			facts.Features[key] = value
		case "sockets":
			facts.parseSocket(line)
		case "processes":
			facts.parseProcess(key, value)
		}
	}
	if !whole {
		return nil, fmt.Errorf("the host's answer was cut off after %d bytes", len(output))
	}
	facts.parseDisks(paths, mounts)
	return facts, nil
}

// excerpt is the beginning of an output, for an error.
func excerpt(output []byte) string {
	const most = 200
	if len(output) > most {
		return string(output[:most]) + "…"
	}
	return string(output)
}

// parseTime reads what date +%s.%N printed; busybox does not know %N.
func parseTime(text string) time.Time {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds <= 0 || seconds > math.MaxInt32*1000 {
		return time.Time{}
	}
	nanoseconds, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil || len(fraction) != 9 {
		nanoseconds = int64(time.Second / 2)
	}
	return time.Unix(seconds, nanoseconds)
}

func (l *Login) parse(key, value string) {
	switch key {
	case "uid":
		if uid, err := strconv.Atoi(value); err == nil {
			l.UID = uid
		} else {
			l.UID = -1
		}
	case "user":
		l.User = value
	case "shell":
		l.Shell = value
	case "sh":
		l.Sh = value
	}
}

func (s *System) parse(key, value string) {
	switch key {
	case "architecture":
		s.Architecture = value
	case "linux":
		s.Linux = value
	case "ID":
		s.ID = unquote(value)
	case "PRETTY_NAME":
		s.Name = unquote(value)
	case "init":
		s.Init = value
	case "systemd":
		s.Systemd = true
	case "cgroup":
		s.Cgroup, _ = strconv.Atoi(value)
	case "swap":
		size, name, _ := strings.Cut(value, " ")
		kilobytes, _ := strconv.ParseInt(size, 10, 40)
		s.Swaps = append(s.Swaps, Swap{Name: name, Size: kilobytes << 10})
	}
}

// unquote takes the quotes of os-release(5) off.
func unquote(value string) string {
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		return value[1 : len(value)-1]
	}
	return value
}

// dfLine is a line of df -P: device, size, used and available in KiB, percent,
// mount point. Device and mount point may hold spaces.
var dfLine = regexp.MustCompile(`^.*\S +\d+ +\d+ +(-?\d+) +(?:\d+%|-) +(/.*)$`)

// parseDisks joins paths with what df said of them, a line for each. Where it
// left one out, none can be told.
func (f *Facts) parseDisks(paths, mounts []string) {
	var found []Disk
	for _, line := range mounts {
		if fields := dfLine.FindStringSubmatch(line); fields != nil {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 53)
			found = append(found, Disk{Mount: fields[2], Free: max(0, kilobytes) << 10, Known: err == nil})
		}
	}
	for i, line := range paths {
		access, path, _ := strings.Cut(line, " ")
		var disk Disk
		if len(found) == len(paths) {
			disk = found[i]
		}
		disk.ReadOnly = access == "read-only"
		f.Disks[path] = disk
	}
}

func (f *Facts) parseSocket(line string) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return
	}
	address, ok := parseAddress(fields[1])
	if !ok {
		return
	}
	f.Sockets = append(f.Sockets, Socket{Protocol: strings.TrimSuffix(fields[0], "6"), Address: address, Inode: fields[2]})
}

// parseAddress reads an address of /proc/net/tcp: words of 32 bits in the
// machine's order, which is the little end first on all that Kubernetes runs
// on but s390x, then the port.
func parseAddress(text string) (netip.AddrPort, bool) {
	words, hexPort, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(hexPort, 16, 16)
	raw, hexErr := hex.DecodeString(words)
	if err != nil || hexErr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), true
}

func (f *Facts) parseProcess(key, value string) {
	first, second, _ := strings.Cut(value, " ")
	if key == "holds" {
		pid, err := strconv.Atoi(second)
		for i := range f.Sockets {
			if f.Sockets[i].Inode == first && err == nil {
				f.Sockets[i].PIDs = append(f.Sockets[i].PIDs, pid)
			}
		}
		return
	}
	pid, err := strconv.Atoi(first)
	if err != nil {
		return
	}
	process := f.Processes[pid]
	switch key {
	case "name":
		process.Name = second
	case "group":
		if unit := unitOf(second); unit != "" {
			process.Unit = unit
		}
	}
	f.Processes[pid] = process
}

// unitOf finds the unit in a line of /proc/PID/cgroup: the innermost group that
// is one.
func unitOf(line string) string {
	for group := line; strings.Contains(group, "/"); group = path.Dir(group) {
		name := path.Base(group)
		switch path.Ext(name) {
		case ".service", ".socket", ".scope":
			return name
		}
		if group == path.Dir(group) {
			break
		}
	}
	return ""
}

// Package proc reads from /proc what the lab must know of the machine: who is alive, what is mounted, which process is
// a host's first.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Identity names one process for ever: a number alone is given to another process sooner or later.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks from boot to the process's start
	Boot  string `json:"boot"`  // the boot in which the two mean something
}

// Self returns the identity of this process.
func Self() (Identity, error) {
	pid := os.Getpid()
	start, err := startTime(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := BootID()
	return Identity{PID: pid, Start: start, Boot: boot}, err
}

// Alive reports whether the process still runs. A process that cannot be looked at is taken for dead.
func (i Identity) Alive() bool {
	boot, err := BootID()
	if err != nil || boot != i.Boot {
		return false
	}
	start, err := startTime(i.PID)
	return err == nil && start == i.Start
}

// BootID returns the kernel's random name for the time since it booted.
func BootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read start time of process %d: %w", pid, err)
	}
	start, state, err := parseStat(stat)
	if err != nil {
		return 0, fmt.Errorf("read start time of process %d: %w", pid, err)
	}
	if state == "Z" || state == "X" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return start, nil
}

// parseStat reads state and start time of a /proc/PID/stat line. The second field is the program's name in brackets and
// may itself hold blanks and brackets, so counting begins after the last one.
func parseStat(stat []byte) (start uint64, state string, err error) {
	const stateField, startField = 0, 19
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) <= startField {
		return 0, "", errors.New("not a stat line")
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	return start, fields[stateField], err
}

// IsFirstOfChild reports whether the process is the first one of a PID namespace directly below this one's.
func IsFirstOfChild(pid int) (bool, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) == 2 && fields[1] == "1", nil
		}
	}
	return false, nil
}

// MountsBelow returns the mount points at or below dir, the last mounted first, as they must be unmounted.
func MountsBelow(dir string) ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return mountsBelow(string(info), dir), nil
}

func mountsBelow(info, dir string) []string {
	const pointField = 4
	var points []string
	for line := range strings.Lines(info) {
		fields := strings.Fields(line)
		if len(fields) <= pointField {
			continue
		}
		point := unescape(fields[pointField])
		if point == dir || strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points
}

// Overlays returns the lower directories of all overlay mounts.
func Overlays() ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	var lowers []string
	for field := range strings.FieldsSeq(string(info)) {
		for option := range strings.SplitSeq(field, ",") {
			if dirs, ok := strings.CutPrefix(option, "lowerdir="); ok {
				lowers = append(lowers, strings.Split(unescape(dirs), ":")...)
			}
		}
	}
	return lowers, nil
}

// unescape undoes the kernel's octal escapes of blanks in mount points.
func unescape(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}

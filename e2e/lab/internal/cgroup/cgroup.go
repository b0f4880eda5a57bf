// Package cgroup gives a group of processes a subtree of its own in every control group hierarchy of the machine, v1 or
// v2, by which the group can be counted, stopped and killed as a whole.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hierarchy is one mounted control group file system.
type hierarchy struct {
	mount       string
	v2          bool
	controllers []string
}

// Tree is the same path in every hierarchy.
type Tree struct {
	path        string
	hierarchies []hierarchy
}

// At returns the tree at path. It makes nothing.
func At(path ...string) (*Tree, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	found := parseMounts(string(mounts))
	if len(found) == 0 {
		return nil, errors.New("no control group file system is mounted below /sys/fs/cgroup")
	}
	return &Tree{path: filepath.Join(path...), hierarchies: found}, nil
}

// parseMounts lists the hierarchies of a mount table. The same hierarchy may be mounted elsewhere too, as in a container
// with a view of its own; only the machine's usual place counts.
func parseMounts(table string) []hierarchy {
	var found []hierarchy
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[1] != "/sys/fs/cgroup" && filepath.Dir(fields[1]) != "/sys/fs/cgroup" {
			continue
		}
		switch fields[2] {
		case "cgroup2":
			found = append(found, hierarchy{mount: fields[1], v2: true})
		case "cgroup":
			found = append(found, hierarchy{mount: fields[1], controllers: strings.Split(fields[3], ",")})
		}
	}
	return found
}

// Dirs returns the tree's directory in each hierarchy.
func (t *Tree) Dirs() []string {
	dirs := make([]string, 0, len(t.hierarchies))
	for _, h := range t.hierarchies {
		dirs = append(dirs, filepath.Join(h.mount, t.path))
	}
	return dirs
}

// Make makes the tree's directories and sets what a new group lacks before processes can live in it.
func (t *Tree) Make() error {
	for _, h := range t.hierarchies {
		dir := h.mount
		for _, name := range strings.Split(t.path, "/") {
			if h.v2 {
				if err := delegate(dir); err != nil {
					return err
				}
			}
			parent := dir
			dir = filepath.Join(dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make control group: %w", err)
			}
			if err := copyCPUSet(h, parent, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets the children of a v2 group have all controllers that it has itself.
func delegate(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read controllers: %w", err)
	}
	for name := range strings.FieldsSeq(string(controllers)) {
		// One by one: a controller that cannot be passed on (cpu beside real-time processes) must not hold up the rest.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0o644)
	}
	return nil
}

// copyCPUSet gives a v1 cpuset group its parent's processors and memory: a new one has none and takes no process.
func copyCPUSet(h hierarchy, parent, dir string) error {
	if h.v2 || !slices.Contains(h.controllers, "cpuset") {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), value, 0o644)
		}
		if err != nil {
			return fmt.Errorf("set up control group: %w", err)
		}
	}
	return nil
}

// PIDs returns the processes in the tree, sorted.
func (t *Tree) PIDs() ([]int, error) {
	var pids []int
	for _, dir := range t.Dirs() {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if gone(err) {
				return nil
			}
			if err != nil || !entry.IsDir() {
				return err
			}
			found, err := readPIDs(filepath.Join(path, "cgroup.procs"))
			pids = append(pids, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func readPIDs(file string) ([]int, error) {
	text, err := os.ReadFile(file)
	// EOPNOTSUPP is how a v2 group that holds threads refuses to list its processes; its domain lists them.
	if gone(err) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if pid != 0 { // 0 stands for a process outside of our PID namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// gone reports whether an error only says that a group or process vanished meanwhile.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH)
}

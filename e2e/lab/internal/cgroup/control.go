package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"provision/e2e/lab/internal/wait"
)

// pollInterval is how often a change that the kernel makes in its own time is looked for.
const pollInterval = 5 * time.Millisecond

// freezeTimeout bounds how long processes may take to stop, or to go on. It takes milliseconds.
const freezeTimeout = 20 * time.Second

// freezer returns the files by which the tree is stopped, and the words for it.
func (t *Tree) freezer() (set, state, frozen, thawed string, err error) {
	for _, h := range t.hierarchies {
		dir := filepath.Join(h.mount, t.path)
		if slices.Contains(h.controllers, "freezer") {
			file := filepath.Join(dir, "freezer.state")
			return file, file, "FROZEN", "THAWED", nil
		}
	}
	for _, h := range t.hierarchies {
		if h.v2 {
			dir := filepath.Join(h.mount, t.path)
			return filepath.Join(dir, "cgroup.freeze"), filepath.Join(dir, "cgroup.events"), "1", "0", nil
		}
	}
	return "", "", "", "", errors.New("this machine has no freezer control group")
}

// Freeze stops all processes of the tree and returns when they have stopped. If it fails, they go on.
func (t *Tree) Freeze(ctx context.Context) error {
	set, _, word, _, err := t.freezer()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, freezeTimeout)
	defer cancel()
	err = wait.Until(limited, pollInterval, "all processes are frozen", func() (bool, error) {
		// Once is not always enough for version 1: a process that begins, just then, to wait for its vforked child is
		// passed over, and its child is frozen. The kernel only looks again when it is told again.
		if err := os.WriteFile(set, []byte(word), 0o644); err != nil {
			return false, fmt.Errorf("freeze: %w", err)
		}
		return t.Frozen()
	})
	if err != nil {
		return errors.Join(err, t.Thaw(context.WithoutCancel(ctx)))
	}
	return nil
}

// Thaw lets the processes run on.
func (t *Tree) Thaw(ctx context.Context) error {
	set, _, _, word, err := t.freezer()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, freezeTimeout)
	defer cancel()
	if err := os.WriteFile(set, []byte(word), 0o644); err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	return wait.Until(ctx, pollInterval, "all processes are thawed", func() (bool, error) {
		frozen, err := t.Frozen()
		return !frozen, err
	})
}

// thawAll thaws every group of the tree by itself: a frozen v1 group does not even die, and one below a thawed one stays
// frozen.
func (t *Tree) thawAll() error {
	set, _, _, word, err := t.freezer()
	if err != nil {
		return err
	}
	err = filepath.WalkDir(filepath.Dir(set), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.WriteFile(filepath.Join(path, filepath.Base(set)), []byte(word), 0o644)
		}
		if gone(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("thaw: %w", err)
	}
	return nil
}

// Frozen reports whether the processes of the tree are stopped. A tree that is not there is not frozen.
func (t *Tree) Frozen() (bool, error) {
	_, state, _, _, err := t.freezer()
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(state)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read freezer: %w", err)
	}
	return strings.TrimSpace(string(text)) == "FROZEN" || strings.Contains(string(text), "frozen 1"), nil
}

// Kill kills all processes of the tree, and whatever they start meanwhile, and returns when none is left.
func (t *Tree) Kill(ctx context.Context) error {
	return wait.Until(ctx, pollInterval, "all processes are dead", func() (bool, error) {
		pids, err := t.PIDs()
		if err != nil || len(pids) == 0 {
			return err == nil, err
		}
		if err := t.thawAll(); err != nil {
			return false, err
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return false, fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		return false, nil
	})
}

// Remove removes the directories of a tree without processes. The kernel refuses for a moment after the last one died.
func (t *Tree) Remove(ctx context.Context) error {
	return wait.Until(ctx, pollInterval, "control groups can be removed", func() (bool, error) {
		busy := false
		for _, dir := range t.Dirs() {
			err := removeTree(dir)
			if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
				busy = true
			} else if err != nil {
				return false, fmt.Errorf("remove control group: %w", err)
			}
		}
		return !busy, nil
	})
}

// RemoveIfEmpty removes the tree's own directories if nothing lives in or below them.
func (t *Tree) RemoveIfEmpty() error {
	var failed []error
	for _, dir := range t.Dirs() {
		err := unix.Rmdir(dir)
		if err != nil && !gone(err) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			failed = append(failed, fmt.Errorf("remove control group %s: %w", dir, err))
		}
	}
	return errors.Join(failed...)
}

// removeTree removes directories from the bottom up. Control group files cannot be unlinked; they go with their directory.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !gone(err) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

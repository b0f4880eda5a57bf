package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"provision/e2e/lab/internal/cgroup"
	"provision/e2e/lab/internal/flock"
	"provision/e2e/lab/internal/proc"
	"provision/e2e/lab/internal/wait"
)

const (
	// pollInterval is how often the lab looks whether the kernel or a host got somewhere.
	pollInterval = 10 * time.Millisecond
	// teardownTimeout bounds how long a lab may take to go away. It takes tenths of a second.
	teardownTimeout = 60 * time.Second
)

// Collect takes down all labs whose owner has died, and what is left of any whose taking down was interrupted. Labs that
// another process is busy with are left alone. Log, which may be nil, hears what is taken down.
func Collect(ctx context.Context, log io.Writer) error {
	if err := checkRoot(); err != nil {
		return err
	}
	names, err := labNames()
	if err != nil {
		return err
	}
	// Taking and releasing the lock of somebody who was killed removes its file.
	locked, err := lockNames()
	if err != nil {
		return err
	}
	boot, err := proc.BootID()
	if err != nil {
		return err
	}
	names = append(names, locked...)
	slices.Sort(names)
	var failed []error
	for _, name := range slices.Compact(names) {
		if err := collectOne(ctx, name, boot, orDiscard(log)); err != nil {
			failed = append(failed, fmt.Errorf("collect lab %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

func collectOne(ctx context.Context, name, boot string, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, teardownTimeout)
	defer cancel()
	lock, err := flock.Try(labLock(name))
	if errors.Is(err, flock.ErrHeld) {
		if s, err := loadState(name); err != nil || !s.abandoned(boot) {
			return nil // wanted, or without a state, as while it comes up or has gone
		}
		// Either somebody is taking it down, or its owner was killed while it booted hosts and what it started has the lock
		// for some milliseconds yet.
		lock, err = flock.Acquire(ctx, labLock(name), nil)
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	return collectLocked(ctx, name, boot, log)
}

// collectLocked takes down a lab, whose lock is held, if it is abandoned.
func collectLocked(ctx context.Context, name, boot string, log io.Writer) error {
	s, err := loadState(name)
	if errors.Is(err, ErrNotUp) {
		if !exists(stateDir(name)) && !exists(diskDir(name)) {
			return nil
		}
		s = nil
	} else if err != nil {
		return err
	}
	if s != nil && !s.abandoned(boot) {
		return nil
	}
	fmt.Fprintf(log, "lab: lab %s was abandoned by its owner; taking it down\n", name)
	return teardown(ctx, name, s)
}

// teardown removes all that a lab has on the machine. It goes by what is there, not by what should be, so it does for a lab
// in any condition. Only without a state, which is the last to go, can there be no network. The lab's lock is held.
func teardown(ctx context.Context, name string, s *state) error {
	ctx, cancel := context.WithTimeout(ctx, teardownTimeout)
	defer cancel()
	groups, err := cgroup.At(cgroupRoot, name)
	if err != nil {
		return err
	}
	failed := []error{groups.Kill(ctx), groups.Remove(ctx)}
	if s != nil {
		for _, h := range s.Hosts {
			failed = append(failed, s.unplug(ctx, h))
		}
		failed = append(failed, s.removeNetwork(ctx))
	}
	failed = append(failed, removeDisks(diskDir(name)))
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("take down lab %s: %w", name, err)
	}
	return unclaim(ctx, name)
}

// unplug waits until the cable of a killed host is gone, which the kernel removes in its own time, and removes what its
// container left behind.
func (s *state) unplug(ctx context.Context, h hostState) error {
	err := wait.Until(ctx, pollInterval, "the network of "+h.Name+" is gone", func() (bool, error) {
		return !linkExists(s.cable(h)), nil
	})
	return errors.Join(err, os.RemoveAll(filepath.Join("/run/systemd/nspawn/propagate", s.machine(h))))
}

// removeDisks unmounts everything below a directory and removes it.
func removeDisks(dir string) error {
	points, err := proc.MountsBelow(dir)
	if err != nil {
		return err
	}
	for _, point := range points {
		if err := unix.Unmount(point, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove disks: %w", err)
	}
	return nil
}

// unclaim removes a lab's state and, with the last lab, what all labs share.
func unclaim(ctx context.Context, name string) error {
	lock, err := flock.Acquire(ctx, claimLock, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := os.RemoveAll(stateDir(name)); err != nil {
		return fmt.Errorf("remove state of lab %s: %w", name, err)
	}
	others, err := labNames()
	if err != nil || len(others) > 0 {
		return err
	}
	shared, err := cgroup.At(cgroupRoot)
	if err != nil {
		return err
	}
	failed := []error{returnSettings(), shared.RemoveIfEmpty()}
	for _, dir := range []string{stateRoot, diskRoot} {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func orDiscard(log io.Writer) io.Writer {
	if log == nil {
		return io.Discard
	}
	return log
}

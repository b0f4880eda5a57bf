// Package flock lets processes take turns by file locks that leave no file behind and that the kernel releases when
// their holder dies.
package flock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"provision/e2e/lab/internal/wait"
)

// pollInterval is how often a waiting process looks again. flock(2) itself can wait, but not until a context ends.
const pollInterval = 20 * time.Millisecond

// ErrHeld says that another process holds the lock.
var ErrHeld = errors.New("the lock is held by another process")

// Lock is a held lock.
type Lock struct{ file *os.File }

// Try takes the lock at path, or returns ErrHeld at once.
func Try(path string) (*Lock, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrHeld
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// A holder removes the file before it lets go, so what was locked here may no longer be what others find.
		if same, err := stillAt(path, file); err != nil || same {
			return &Lock{file: file}, err
		}
		_ = file.Close()
	}
}

// Acquire takes the lock at path, waiting until it is free or ctx ends. It calls waiting once if it must wait at all.
func Acquire(ctx context.Context, path string, waiting func()) (*Lock, error) {
	var lock *Lock
	told := false
	err := wait.Until(ctx, pollInterval, path+" is free", func() (bool, error) {
		var err error
		lock, err = Try(path)
		if !errors.Is(err, ErrHeld) {
			return true, err
		}
		if !told && waiting != nil {
			waiting()
		}
		told = true
		return false, nil
	})
	return lock, err
}

// File returns the open file that holds the lock. A child that inherits it holds the lock too, even if this process is
// killed.
func (l *Lock) File() *os.File { return l.file }

// Release removes the lock file and lets the next process in. If the file cannot be removed it stays behind, which does no
// harm.
func (l *Lock) Release() {
	_ = os.Remove(l.file.Name())
	_ = l.file.Close()
}

func stillAt(path string, file *os.File) (bool, error) {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at lock: %w", err)
	}
	held, err := file.Stat()
	if err != nil {
		return false, fmt.Errorf("look at lock %s: %w", path, err)
	}
	return os.SameFile(now, held), nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockPoll is how often a waiting process tries again.
const lockPoll = 200 * time.Millisecond

// Lock makes the caller the only process that writes to the store. When another
// one holds the lock, waiting is called once with what that one said of itself,
// and Lock waits until it ends or ctx does. The kernel drops the lock of a
// killed process.
func (s *Store) Lock(ctx context.Context, waiting func(holder string)) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock toolchain cache: %w", err)
	}
	for first := true; ; first = false {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock toolchain cache: %w", err)
		}
		if first {
			text, _ := os.ReadFile(f.Name())
			waiting(strings.TrimSpace(string(text)))
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for toolchain cache: %w", context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
	// Only a courtesy to those who wait: the lock is the flock, not the text.
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "process %d\n", os.Getpid())
	}
	return func() { f.Close() }, nil
}

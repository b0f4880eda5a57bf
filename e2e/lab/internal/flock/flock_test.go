package flock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func TestTry_HeldLockIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("got %v, want ErrHeld", err)
	}
	held.Release()
	again, err := Try(path)
	if err != nil {
		t.Fatalf("a released lock is refused: %v", err)
	}
	again.Release()
}

func TestRelease_LeavesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the lock file is still there: %v", err)
	}
}

func TestAcquire_EndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	told := 0
	if _, err := Acquire(ctx, path, func() { told++ }); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a deadline error", err)
	}
	if told != 1 {
		t.Fatalf("told of waiting %d times, want once", told)
	}
}

func TestAcquire_OneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var group sync.WaitGroup
	inside := make(chan struct{}, 1)
	for range 8 {
		group.Go(func() {
			lock, err := Acquire(t.Context(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case inside <- struct{}{}:
			default:
				t.Error("two holders at once")
			}
			runtime.Gosched()
			<-inside
			lock.Release()
		})
	}
	group.Wait()
}

package wait

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestUntil_AsksAgain(t *testing.T) {
	asked := 0
	err := Until(t.Context(), time.Millisecond, "asked thrice", func() (bool, error) {
		asked++
		return asked == 3, nil
	})
	if err != nil || asked != 3 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
}

func TestUntil_FailureEndsWaiting(t *testing.T) {
	broken := errors.New("broken")
	if err := Until(t.Context(), time.Millisecond, "never", func() (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}

func TestUntil_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := Until(ctx, time.Millisecond, "never", func() (bool, error) { return false, nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

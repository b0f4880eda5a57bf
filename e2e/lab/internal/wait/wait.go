// Package wait waits for conditions that nobody reports, until a context ends.
package wait

import (
	"context"
	"fmt"
	"time"
)

// Until asks done every so often until it says yes, fails, or ctx ends. What says what is waited for.
func Until(ctx context.Context, every time.Duration, what string, done func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

package remote

import (
	"context"
	"sync"
	"time"
)

// patience bounds work with a host in time, without the time that the operator takes to answer a question.
type patience struct {
	cancel context.CancelCauseFunc
	cause  error

	mu     sync.Mutex
	left   time.Duration
	since  time.Time
	timer  *time.Timer
	pauses int
	ended  bool
}

// withPatience returns a context that ends with cause after d, pauses left out.
func withPatience(ctx context.Context, d time.Duration, cause error) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{cancel: cancel, cause: cause, left: d}
	p.run()
	return ctx, p
}

func (p *patience) run() {
	p.since = time.Now()
	p.timer = time.AfterFunc(p.left, func() { p.cancel(p.cause) })
}

// pause stops the clock until the function that it returns is called.
func (p *patience) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pauses++; p.pauses == 1 && p.timer.Stop() {
		p.left -= time.Since(p.since)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.pauses--; p.pauses == 0 && !p.ended {
			p.run()
		}
	}
}

// stop ends the context.
func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
	p.cancel(context.Canceled)
}

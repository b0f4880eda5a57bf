package converge

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"provision/pkg/remote"
)

//go:embed guard.sh
var guardScript string

const (
	// beatInterval is how often a guard is given a sign of life.
	beatInterval = 5 * time.Second
	// guardSilence is how long a guard waits for one. A link that loses packets
	// for some seconds costs no lock, and a dead run leaves it soon.
	guardSilence = 30 * time.Second
	// guardPatience is how long a host may take to say whether it is locked.
	guardPatience = 30 * time.Second
	// guardGrace is more than guard.sh takes to end a script that does not want to.
	guardGrace = 10 * time.Second
)

// guard is the lock of one host, held by a command that runs there as long as
// it is given signs of life.
type guard struct {
	cancel context.CancelFunc
	stop   func()
	// ended is closed when the command has ended, after err is set.
	ended chan struct{}
	err   error
}

// openGuard takes the lock of a host. seen is the sum of the host's record as
// the plan knows it: a host that another run has changed since is not locked.
func (r *run) openGuard(ctx context.Context, plan *HostPlan) (*guard, error) {
	// The guard outlives an interrupted run: closing it is what ends the scripts.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	g := &guard{cancel: cancel, stop: sync.OnceFunc(func() { close(stopped) }), ended: make(chan struct{})}
	answer := &guardAnswer{locked: make(chan struct{})}
	command := remote.Command{
		Args: []string{
			"/bin/sh", "-c", guardScript, "guard", strconv.Itoa(int(guardSilence.Seconds())), cmp.Or(plan.recordSum, "-"),
			r.Run.ID, r.Run.By, r.Run.Time.UTC().Format(time.RFC3339),
		},
		Name:       "guard",
		Stdin:      &heartbeat{interval: beatInterval, stop: stopped},
		Stdout:     answer,
		Privileged: true,
		Timeout:    remote.Unlimited,
	}
	go func() { // close waits for it
		defer close(g.ended)
		_, g.err = r.Hosts[plan.Host].Run(own, command)
	}()
	patience := time.NewTimer(cmp.Or(r.patience, guardPatience))
	defer patience.Stop()
	var err error
	select {
	case <-answer.locked:
		return g, nil
	case <-g.ended:
		err = answer.refusal(plan.Host, g.err)
	case <-patience.C:
		err = errors.New("take the lock: the host's shell does not answer; does the login run what it is told to?")
	case <-ctx.Done():
		err = fmt.Errorf("take the lock: %w", context.Cause(ctx))
	}
	cancel()
	g.close()
	return nil, err
}

// close lets go of the lock and returns when what the run had running on the
// host has ended, or when the host does not say so.
func (g *guard) close() {
	g.stop()
	grace := time.NewTimer(guardGrace)
	defer grace.Stop()
	select {
	case <-g.ended:
	case <-grace.C:
	}
	g.cancel()
	<-g.ended
}

// watch ends the returned context when the guard ends before it is closed:
// without the lock, nothing more may be done to the host.
func (g *guard) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with the context
		select {
		case <-g.ended:
			cancel(fmt.Errorf("%w: %w; run again", errLockLost, cmp.Or(g.err, errGuardGone)))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

var (
	errLockLost  = errors.New("the host's lock was lost while it was being changed")
	errGuardGone = errors.New("the command that holds it there ended")
)

// heartbeat is a reader that brings a line at each interval, until it is
// stopped.
type heartbeat struct {
	interval time.Duration
	stop     <-chan struct{}
}

// Read waits for the next beat.
func (h *heartbeat) Read(p []byte) (int, error) {
	timer := time.NewTimer(h.interval)
	defer timer.Stop()
	select {
	case <-h.stop:
		return 0, io.EOF
	case <-timer.C:
		return copy(p, "beat\n"), nil
	}
}

// guardAnswer reads what guard.sh prints.
type guardAnswer struct {
	locked chan struct{}
	lines  []string
	line   []byte
}

// mostGuardLines is more than guard.sh prints.
const mostGuardLines = 16

// Write takes output in any pieces.
func (a *guardAnswer) Write(output []byte) (int, error) {
	a.line = append(a.line, output...)
	for {
		line, rest, found := bytes.Cut(a.line, []byte("\n"))
		if !found {
			a.line = a.line[:min(len(a.line), longestLine)]
			return len(output), nil
		}
		a.line = rest
		text, ours := strings.CutPrefix(string(line), "guard ")
		if !ours || len(a.lines) == mostGuardLines {
			continue
		}
		a.lines = append(a.lines, text)
		if len(a.lines) == 1 && text == "locked" {
			close(a.locked)
		}
	}
}

// refusal is why a guard that has ended did not take the lock; err is how its
// command ended.
func (a *guardAnswer) refusal(host string, err error) error {
	values := map[string]string{}
	for _, line := range a.lines {
		key, value, _ := strings.Cut(line, " ")
		values[key] = excerpt([]byte(value))
	}
	since, _ := time.Parse(time.RFC3339, values["since"]) // zero where nobody knows
	if len(a.lines) > 0 {
		switch a.lines[0] {
		case "held":
			return &LockedError{Host: host, By: values["by"], Since: since, From: values["from"], Run: values["run"]}
		case "changed":
			return &StaleError{Host: host, By: values["by"], Since: since, Run: values["run"]}
		}
	}
	return fmt.Errorf("take the lock: %w", cmp.Or(err, errGuardGone))
}

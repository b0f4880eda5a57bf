package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Limit is a number of hosts, or a share of them in percent.
type Limit struct {
	Number  int
	Percent int
}

// defaultLimit is one host, or a tenth of many.
func defaultLimit() Limit { return Limit{Percent: 10} }

// ParseLimit reads a limit as people write it: "2", or "25%".
func ParseLimit(text string) (Limit, error) {
	number, isPercent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || isPercent && n > 100 {
		return Limit{}, fmt.Errorf("limit %q: write a number of hosts from 1 on, or a share of them, as in 25%%", text)
	}
	if isPercent {
		return Limit{Percent: n}, nil
	}
	return Limit{Number: n}, nil
}

// of is how many of so many hosts the limit allows, never less than one.
func (l Limit) of(hosts int) int {
	if l.Number > 0 {
		return l.Number
	}
	return max(1, hosts*l.Percent/100)
}

// turn lets only so many hosts at the same time go through a stage in which they
// restart what runs.
type turn struct {
	places chan struct{}
	mutex  sync.Mutex
	failed []string
}

// newTurns makes a turn for each stage of the plan.
func newTurns(plan *Plan, limit Limit) map[string]*turn {
	if limit == (Limit{}) {
		limit = defaultLimit()
	}
	count := map[string]int{}
	for _, host := range plan.Hosts {
		for _, stage := range host.Stages {
			count[stage.Name]++
		}
	}
	turns := make(map[string]*turn, len(count))
	for name, hosts := range count {
		turns[name] = &turn{places: make(chan struct{}, limit.of(hosts))}
	}
	return turns
}

// full tells whether a host that comes now has to wait.
func (t *turn) full() bool { return len(t.places) == cap(t.places) }

// take waits for a place. Once a host has failed, those that come after it are
// not touched.
func (t *turn) take(ctx context.Context, stage string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for other hosts in stage %s: %w", stage, context.Cause(ctx))
	case t.places <- struct{}{}:
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.failed) > 0 {
		<-t.places
		return &HaltedError{Stage: stage, Hosts: slices.Sorted(slices.Values(t.failed))}
	}
	return nil
}

// leave gives the place to the next host.
func (t *turn) leave(host string, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err != nil {
		t.failed = append(t.failed, host)
	}
	<-t.places
}

// HaltedError tells that a host was not touched because another one failed in a
// stage in which both restart what runs.
type HaltedError struct {
	Stage string
	Hosts []string
}

// Error names the stage and the hosts to look at.
func (e *HaltedError) Error() string {
	return fmt.Sprintf("not started: stage %s restarts what runs here, and has failed on %s", e.Stage, strings.Join(e.Hosts, ", "))
}

// Unwrap makes it one of the errors of hosts that others hold up.
func (e *HaltedError) Unwrap() error { return &BlockedError{Stage: e.Stage, Hosts: e.Hosts} }

// failures counts the hosts of a run that have failed.
type failures struct {
	mutex  sync.Mutex
	failed []string
}

// add counts a host that failed itself: not one that others held up.
func (f *failures) add(host string, err error) {
	if err == nil || errors.As(err, new(*BlockedError)) {
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.failed = append(f.failed, host)
}

// check returns an error once as many hosts have failed as are allowed to; any
// number is where most is 0.
func (f *failures) check(most int) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if most == 0 || len(f.failed) < most {
		return nil
	}
	return &StoppedError{Hosts: slices.Sorted(slices.Values(f.failed))}
}

// StoppedError tells that a host was not begun because as many as are allowed to
// had failed.
type StoppedError struct {
	Hosts []string
}

// Error names the hosts to look at.
func (e *StoppedError) Error() string {
	return fmt.Sprintf("not started: the run was to end after so many failures: %s", strings.Join(e.Hosts, ", "))
}

// Unwrap makes it one of the errors of hosts that others hold up.
func (e *StoppedError) Unwrap() error { return &BlockedError{Hosts: e.Hosts} }

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
// restart what runs, in the order of the plan.
type turn struct {
	limit  int
	mutex  sync.Mutex
	queue  []string // have not had their turn
	busy   int
	failed []string
	moved  chan struct{} // closed when any of the above has changed
}

// newTurns makes a turn for each stage of the plan.
func newTurns(plan *Plan, limit Limit) map[string]*turn {
	if limit == (Limit{}) {
		limit = defaultLimit()
	}
	turns, count := map[string]*turn{}, map[string]int{}
	for _, host := range plan.Hosts {
		for _, stage := range host.Stages {
			t := turns[stage.Name]
			if t == nil {
				t = &turn{moved: make(chan struct{})}
				turns[stage.Name] = t
			}
			count[stage.Name]++
			if len(stage.restarted()) > 0 {
				t.queue = append(t.queue, host.Host)
			}
		}
	}
	for name, hosts := range count {
		turns[name].limit = limit.of(hosts)
	}
	return turns
}

// due tells whether it is the host's turn, or that of none any more. The caller
// holds the mutex.
func (t *turn) due(host string) bool {
	return len(t.failed) > 0 || t.queue[0] == host && t.busy < t.limit
}

// waits tells whether a host that comes now has to wait.
func (t *turn) waits(host string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return !t.due(host)
}

// take waits until it is the host's turn. Once a host has failed, those that
// come after it are not touched.
func (t *turn) take(ctx context.Context, stage, host string) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for !t.due(host) {
		moved := t.moved
		t.mutex.Unlock()
		select {
		case <-ctx.Done():
			t.mutex.Lock()
			return fmt.Errorf("wait for other hosts in stage %s: %w", stage, context.Cause(ctx))
		case <-moved:
			t.mutex.Lock()
		}
	}
	if len(t.failed) > 0 {
		return &HaltedError{Stage: stage, Hosts: slices.Sorted(slices.Values(t.failed))}
	}
	t.busy++
	t.dequeue(host)
	return nil
}

// leave gives the place to the next host.
func (t *turn) leave(host string, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err != nil {
		t.failed = append(t.failed, host)
	}
	t.busy--
	t.dequeue(host)
}

// forgo lets the others go on without a host that will not take its turn any
// more.
func (t *turn) forgo(host string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.dequeue(host)
}

// dequeue wakes those that wait, the host not being among them. The caller holds
// the mutex.
func (t *turn) dequeue(host string) {
	t.queue = slices.DeleteFunc(t.queue, func(name string) bool { return name == host })
	close(t.moved)
	t.moved = make(chan struct{})
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

package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// LockedError tells that another run holds a host's lock.
type LockedError struct {
	Host string
	// By is user@machine of who runs it, From the address that they came from, as
	// the host sees it. What the host does not know is empty.
	By    string
	Since time.Time
	From  string
	Run   string
}

// Error names the holder, and what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is being changed by another run%s: wait for its end; if that run is dead, the lock goes by itself within %d s",
		e.Host, holder(e.By, e.From, e.Since, e.Run), int(guardSilence.Seconds()))
}

// StaleError tells that another run has changed a host after the plan looked at
// it.
type StaleError struct {
	Host string
	// By, Since and Run are of the run that the host remembers last.
	By    string
	Since time.Time
	Run   string
}

// Error names the other run, and what to do.
func (e *StaleError) Error() string {
	return fmt.Sprintf("%s was changed by another run since it was looked at%s: run again", e.Host, holder(e.By, "", e.Since, e.Run))
}

// holder is what is known of a run, in words.
func holder(by, from string, since time.Time, id string) string {
	var words []string
	if by != "" {
		words = append(words, "by "+by)
	}
	if from != "" {
		words = append(words, "from "+from)
	}
	if !since.IsZero() {
		words = append(words, "since "+since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if id != "" {
		words = append(words, "run "+id)
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// locks are the guards of a run, each opened once and closed at its end.
type locks struct {
	mutex  sync.Mutex
	guards []*guard
}

// lockCluster takes the lock of the plan's first host, which stands for the
// cluster: while one run has it, another does nothing. It returns an error where
// this run is to do nothing. A first host that can't be reached or locked has an
// error of its own later, and holds up nobody: each host that is to be changed
// has its own lock too.
func (r *run) lockCluster(ctx context.Context) error {
	if len(r.plan.Hosts) == 0 || r.plan.Summary().Changes == 0 {
		return nil
	}
	if reachable := r.plan.Hosts[0].Err == nil; !reachable {
		return nil
	}
	r.first, r.firstErr = r.openGuard(ctx, &r.plan.Hosts[0])
	if errors.As(r.firstErr, new(*LockedError)) || errors.As(r.firstErr, new(*StaleError)) {
		return r.firstErr
	}
	if r.first != nil {
		r.locks.add(r.first)
	}
	return nil
}

// lock takes the lock of a host that is to be changed; the first host's has been
// taken by then.
func (r *run) lock(ctx context.Context, plan *HostPlan) (*guard, error) {
	switch {
	case plan == &r.plan.Hosts[0]:
		return r.first, r.firstErr
	case len(plan.Changes()) == 0: // nor has one that could not be looked at
		return nil, nil
	}
	g, err := r.openGuard(ctx, plan)
	if err != nil {
		return nil, err
	}
	r.locks.add(g)
	return g, nil
}

func (l *locks) add(g *guard) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.guards = append(l.guards, g)
}

// release closes all guards at the same time.
func (l *locks) release() {
	var group sync.WaitGroup
	for _, g := range l.guards {
		group.Go(g.close)
	}
	group.Wait()
}

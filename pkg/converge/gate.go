package converge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// gate joins hosts: it opens when every host that has a stage has passed it.
type gate struct {
	mutex   sync.Mutex
	waiting int
	failed  []string
	opened  chan struct{}
}

// newGates makes a gate for each stage of the plan.
func newGates(plan *Plan) map[string]*gate {
	gates := map[string]*gate{}
	for _, host := range plan.Hosts {
		for _, stage := range host.Stages {
			if gates[stage.Name] == nil {
				gates[stage.Name] = &gate{opened: make(chan struct{})}
			}
			gates[stage.Name].waiting++
		}
	}
	return gates
}

// pass tells that a host is through with the stage, or has failed in or before
// it.
func (g *gate) pass(host string, err error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err != nil {
		g.failed = append(g.failed, host)
	}
	g.waiting--
	if g.waiting == 0 {
		close(g.opened)
	}
}

// open tells whether the gate is open already.
func (g *gate) open() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// wait returns once the gate is open, with an error when a host failed.
func (g *gate) wait(ctx context.Context, stage string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for stage %s: %w", stage, context.Cause(ctx))
	case <-g.opened:
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.failed) > 0 {
		return &BlockedError{Stage: stage, Hosts: slices.Sorted(slices.Values(g.failed))}
	}
	return nil
}

// BlockedError tells that a host did not go on because others failed in a stage
// that it needs.
type BlockedError struct {
	Stage string
	Hosts []string
}

// Error names the stage and the hosts to look at.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("not started: needs stage %s, which failed on %s", e.Stage, strings.Join(e.Hosts, ", "))
}

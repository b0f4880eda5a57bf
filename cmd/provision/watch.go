package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"provision/pkg/converge"
	"provision/pkg/remote"
	"provision/pkg/report"
)

// checkLogFormat begins to tell events where they are wanted.
func (f *flags) checkLogFormat(format string) error {
	switch format {
	case formatText:
	case formatJSON:
		f.events = report.NewEvents(f.stderr, time.Now)
	default:
		return usageError(fmt.Errorf("log format %q: want %s or %s", format, formatText, formatJSON))
	}
	return nil
}

// watchedPlan is declared.plan, with an event for each host that was looked at
// and for the plan.
func (f *flags) watchedPlan(ctx context.Context, declared *declared, fleet *fleet) (*converge.Plan, error) {
	if f.events == nil {
		return declared.plan(ctx, fleet)
	}
	for host, err := range fleet.unreachable {
		f.events.HostObserved(host, 0, err)
	}
	var told sync.Map
	connections := fleet.connections()
	for host, connection := range connections {
		connections[host] = &watchedConnection{connection, func(took time.Duration, err error) {
			told.Store(host, err != nil)
			f.events.HostObserved(host, took, err)
		}}
	}
	observed := converge.Observe(ctx, declared.hosts, connections, fleet.unreachable)
	for _, host := range declared.hosts {
		failed, _ := told.Load(host.Name)
		if err := observed[host.Name].Err; err != nil && failed == false { // an answer that could not be read
			f.events.HostObserved(host.Name, 0, err)
		}
	}
	plan, err := declared.compared(ctx, observed)
	if err != nil {
		return nil, err
	}
	f.events.PlanMade(plan)
	return plan, nil
}

// watchedConnection tells when the one look at a host has ended.
type watchedConnection struct {
	converge.Connection
	looked func(took time.Duration, err error)
}

// Run runs the probe.
func (c *watchedConnection) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	begun := time.Now()
	result, err := c.Connection.Run(ctx, command)
	c.looked(time.Since(begun), err)
	return result, err
}

// watch shows the progress of a run: as events, or as a view or lines for
// people. What it returns is told the events, and ends the view.
func (f *flags) watch(plan *converge.Plan, verbosity int) (tell func(converge.Event), stop func()) {
	if f.events != nil {
		return f.events.Event, func() {}
	}
	style := report.DetectStyle(f.stderr)
	style.Live = style.Live && !f.debug // log lines would tear the view
	progress := report.NewProgressWith(f.stderr, style, plan, report.ProgressOptions{Resources: verbosity > 0})
	progress.Start()
	return progress.Event, progress.Stop
}

package converge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/pkg/resource"
)

// settlingTime is how long a service that ran before must stay up after its
// restart, and answer, before its new files are trusted. A process that can't
// read its flags ends within a second.
const settlingTime = 3 * time.Second

// readyAgain is how long a service may take to be ready again when it has been
// ready once and has settled.
const readyAgain = 5 * time.Second

func (r *run) settling() time.Duration { return cmp.Or(r.settle, settlingTime) }

// sickError is that a service which ran before does not with its new files.
type sickError struct{ err error }

// Error is what is wrong with it.
func (e *sickError) Error() string { return e.err.Error() }

// Unwrap is what is wrong with it.
func (e *sickError) Unwrap() error { return e.err }

// restarted are the services that run and that the stage restarts.
func (s *StagePlan) restarted() []resource.Service {
	var services []resource.Service
	for _, change := range s.Changes {
		if service, ok := change.service(); ok && change.Action == ActionRestart {
			services = append(services, service)
		}
	}
	return services
}

// settle has services that were restarted watched for a while.
func (s *script) settle(services []resource.Service, settling time.Duration) {
	if len(services) == 0 {
		return
	}
	units := []string{fmt.Sprint(int(settling.Seconds()))}
	for _, service := range services {
		units = append(units, service.Unit)
	}
	s.ops = append(s.ops, resource.Op{Verb: "settle", Args: units})
	for _, service := range services {
		if len(service.Ready) > 0 {
			args := append([]string{fmt.Sprint(int(readyAgain.Seconds()))}, service.Ready...)
			s.ops = append(s.ops, resource.Op{Verb: "watch", Args: append([]string{service.Unit}, args...)})
		}
	}
}

// RolledBackError tells that a service which ran before did not come to health
// with its new files, and what became of it.
type RolledBackError struct {
	// Back are the units that run again with their old files, Down those that
	// don't.
	Back, Down []string
	// Failed tells why the old files could not be put back.
	Failed error
	// Err is what was wrong.
	Err error
}

// Error says what is there now, and then what was wrong.
func (e *RolledBackError) Error() string {
	switch {
	case e.Failed != nil:
		return fmt.Sprintf("the old files could not all be put back (%v): look at the host, then run again; what went wrong before: %v", e.Failed, e.Err)
	case len(e.Down) > 0:
		return fmt.Sprintf("rolled back: the old files are back, but %s does not run with them either (on the host: systemctl status); with the new ones: %v",
			strings.Join(e.Down, ", "), e.Err)
	case len(e.Back) > 0:
		return fmt.Sprintf("rolled back: the old files are back, and %s runs with them; with the new ones: %v", strings.Join(e.Back, ", "), e.Err)
	}
	return fmt.Sprintf("rolled back: the old files are back; with the new ones: %v", e.Err)
}

// Unwrap is what was wrong.
func (e *RolledBackError) Unwrap() error { return e.Err }

// putBack undoes what a stage did to a host, starts the old services again and
// has the host remember what it had before. It returns why, and how it ended.
func (r *run) putBack(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress, why error) error {
	result := &RolledBackError{Err: why}
	script := newScript(r.Run)
	script.ops = append(script.ops, resource.Op{Verb: "revert", Args: progress.revert(plan, stage)})
	if err := script.record(progress.record); err != nil {
		result.Failed = err
		return result
	}
	follow := &follower{}
	if result.Failed = r.follow(ctx, plan.Host, stage.Name, script, follow); result.Failed != nil {
		return result
	}
	result.Back, result.Down = follow.back, follow.down
	for _, service := range stage.restarted() {
		if service.Answers == "" || !slices.Contains(result.Back, service.Unit) {
			continue
		}
		if err := r.answer(ctx, plan.Host, service); err != nil {
			result.Back = slices.DeleteFunc(result.Back, func(unit string) bool { return unit == service.Unit })
			result.Down = append(result.Down, service.Unit)
		}
	}
	return result
}

// revert makes the record tell what a host has once a stage is put back, and
// returns the paths of earlier stages that go back with it: a program that came
// in one of them may be what is wrong.
func (p *progress) revert(plan *HostPlan, failed *StagePlan) (paths []string) {
	gone := map[resource.ID]bool{}
	for _, change := range failed.Changes {
		if change.stays() {
			continue
		}
		gone[change.Resource] = true
		p.forget(plan, change.Resource)
	}
	applied := map[resource.ID]bool{}
	for i := range plan.Stages {
		if &plan.Stages[i] == failed {
			break
		}
		for _, change := range plan.Stages[i].Changes {
			if failed.uses(change.Resource) && len(resource.Places(change.resource)) > 0 {
				paths = append(paths, resource.Paths(change.resource)...)
				gone[change.Resource] = true
				p.forget(plan, change.Resource)
				continue
			}
			applied[change.Resource] = true
		}
	}
	p.markAgain(plan, failed, gone, applied)
	return paths
}

// stays tells of what never goes back: an authority, by which others may have been
// signed, and a file that is written once, with which data may have been encrypted.
func (c Change) stays() bool {
	switch r := c.resource.(type) {
	case resource.Authority:
		return true
	case resource.File:
		return r.Once
	}
	return false
}

// forget has the record say of a resource what it did before this run.
func (p *progress) forget(plan *HostPlan, id resource.ID) {
	p.done(map[resource.ID]resource.State{id: plan.last.Last(id)})
}

// uses tells whether a service of the stage that changes reads a resource.
func (s *StagePlan) uses(id resource.ID) bool {
	for _, change := range s.Changes {
		if service, ok := change.service(); ok && slices.Contains(service.Uses, id) {
			return true
		}
	}
	return false
}

// markAgain leaves the marks of the services that the next run has to restart:
// those of stages that are done and read what has gone back, and those to come
// that read what is applied. The others were not touched.
func (p *progress) markAgain(plan *HostPlan, failed *StagePlan, gone, applied map[resource.ID]bool) {
	passed := true
	for i := range plan.Stages {
		stage := &plan.Stages[i]
		passed = passed && stage != failed
		for _, r := range stage.resources {
			service, ok := r.(resource.Service)
			if !ok || service.Stopped {
				continue
			}
			reads := func(set map[resource.ID]bool) bool {
				return slices.ContainsFunc(service.Uses, func(id resource.ID) bool { return set[id] })
			}
			switch {
			case passed && reads(gone), !passed && reads(applied):
				p.record.Resources[service.ID().String()] = service.Interrupted(plan.viewOf(service))
			case !passed && plan.view.Changed[service.ID()]:
				p.forget(plan, service.ID())
			}
		}
	}
}

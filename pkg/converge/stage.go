package converge

import (
	"context"
	"errors"
	"fmt"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

// bring brings about one stage of one host. Where a service that ran before does
// not come to health with it, all of the stage is put back.
func (r *run) bring(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress) error {
	before := progress.brought
	err := r.attempt(ctx, plan, stage, progress)
	var sick *sickError
	if !errors.As(err, &sick) || ctx.Err() != nil { // what was interrupted is not sick
		return err
	}
	progress.brought = before
	return r.putBack(ctx, plan, stage, progress, err)
}

// attempt makes or uploads what must be there first, then runs one command on
// the host that does all the rest, then looks whether the services do their work.
func (r *run) attempt(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress) error {
	script := newScript(r.Run)
	if !progress.begun {
		if err := script.record(progress.record); err != nil {
			return err
		}
	}
	script.stage(stage.Name)
	materials := &materials{ctx: ctx, run: r, host: plan.Host, stage: stage.Name}
	applied := map[resource.ID]resource.State{}
	for _, change := range stage.Changes {
		operations, err := change.resource.Bring(plan.viewOf(change.resource), materials)
		if err != nil {
			return fmt.Errorf("%s: %w", change.Resource, err)
		}
		script.add(change, operations.Ops)
		applied[change.Resource] = operations.Applied
	}
	progress.done(applied)
	answering := stage.answering(plan)
	if len(answering) == 0 {
		script.settle(stage.restarted(), r.settling())
		if err := script.record(progress.record); err != nil {
			return err
		}
	}
	brought, err := r.execute(ctx, plan.Host, stage.Name, script)
	progress.brought += brought
	if err != nil {
		return err
	}
	progress.begun = true
	return r.answers(ctx, plan.Host, stage, answering, progress)
}

// answering are the services that the stage starts and that are asked whether
// they do their work.
func (s *StagePlan) answering(plan *HostPlan) []resource.Service {
	var services []resource.Service
	for _, change := range s.Changes {
		service, ok := change.service()
		if ok && service.Answers != "" && (change.Action == ActionRestart || service.Starts(plan.viewOf(change.resource))) {
			services = append(services, service)
		}
	}
	return services
}

// answers waits until every started service answers, and goes on to if it ran
// before, and only then has the host remember the stage.
func (r *run) answers(ctx context.Context, host string, stage *StagePlan, services []resource.Service, progress *progress) error {
	if len(services) == 0 {
		return nil
	}
	if err := r.ask(ctx, host, stage, services); err != nil {
		return err
	}
	if restarted := stage.restarted(); len(restarted) > 0 {
		watch := newScript(r.Run)
		watch.settle(restarted, r.settling())
		if _, err := r.execute(ctx, host, stage.Name, watch); err != nil {
			return err
		}
		if err := r.ask(ctx, host, stage, services); err != nil {
			return err
		}
	}
	script := newScript(r.Run)
	if err := script.record(progress.record); err != nil {
		return err
	}
	_, err := r.execute(ctx, host, stage.Name, script)
	return err
}

// ask waits until each service answers. One that ran before, and does not, is sick.
func (r *run) ask(ctx context.Context, host string, stage *StagePlan, services []resource.Service) error {
	for _, service := range services {
		err := r.answer(ctx, host, service)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", service.ID(), r.lastWords(ctx, host, service, err))
		for _, restarted := range stage.restarted() {
			if restarted.Unit == service.Unit {
				return &sickError{err}
			}
		}
		return err
	}
	return nil
}

// execute runs a script on a host, and tells how many resources it brought
// about.
func (r *run) execute(ctx context.Context, host, stage string, script *script) (int, error) {
	follow := &follower{}
	err := r.follow(ctx, host, stage, script, follow)
	brought := follow.count
	if err != nil && brought > 0 {
		brought, err = brought-1, fmt.Errorf("%s: %w", follow.last, err)
	}
	if err != nil && follow.sick != "" {
		if follow.count == 0 { // it was only watched
			err = fmt.Errorf("%s: %w", resource.Service{Unit: follow.sick}.ID(), err)
		}
		err = &sickError{err}
	}
	return brought, err
}

// follow runs a script and takes what it prints.
func (r *run) follow(ctx context.Context, host, stage string, script *script, follow *follower) error {
	follow.begun = func(id resource.ID) {
		r.emit(Event{Kind: EventResourceBegun, Host: host, Stage: stage, Resource: id})
	}
	operations, err := script.reader()
	if err != nil {
		return err
	}
	_, err = r.Hosts[host].Run(ctx, remote.Command{
		Args:       []string{"/bin/sh", "-c", applyScript},
		Name:       "apply " + stage,
		Stdin:      operations,
		Stdout:     follow,
		Privileged: true,
		Secret:     true, // no secret, but the script's protocol and not for people
	})
	if err == nil && !follow.ended {
		err = errors.New("the host's shell ended before the work was done, without an error")
	}
	return err
}

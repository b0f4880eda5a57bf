package converge

import (
	"context"
	"errors"
	"fmt"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

// bring brings about one stage of one host: what must be made or uploaded
// first, then one command on the host that does all the rest, then a look at
// the endpoints that must answer.
func (r *run) bring(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress) error {
	script := newScript(r.Run)
	if !progress.begun {
		if err := script.record(progress.record); err != nil {
			return err
		}
	}
	materials := &materials{ctx: ctx, run: r, host: plan.Host, stage: stage.Name}
	applied := map[resource.ID]resource.State{}
	var started []resource.Service
	for _, change := range stage.Changes {
		view := plan.viewOf(change.resource)
		operations, err := change.resource.Bring(view, materials)
		if err != nil {
			return fmt.Errorf("%s: %w", change.Resource, err)
		}
		script.add(change.Resource, operations.Ops)
		applied[change.Resource] = operations.Applied
		if service, ok := change.resource.(resource.Service); ok && service.Answers != "" && service.Starts(view) {
			started = append(started, service)
		}
	}
	progress.done(applied)
	if len(started) == 0 {
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
	return r.answers(ctx, plan.Host, stage.Name, started, progress)
}

// answers waits until every started service answers, and only then has the host
// remember the stage.
func (r *run) answers(ctx context.Context, host, stage string, services []resource.Service, progress *progress) error {
	if len(services) == 0 {
		return nil
	}
	for _, service := range services {
		if err := r.answer(ctx, host, service); err != nil {
			return fmt.Errorf("%s: %w", service.ID(), r.lastWords(ctx, host, service, err))
		}
	}
	script := newScript(r.Run)
	if err := script.record(progress.record); err != nil {
		return err
	}
	_, err := r.execute(ctx, host, stage, script)
	return err
}

// execute runs a script on a host, and tells how many resources it brought
// about.
func (r *run) execute(ctx context.Context, host, stage string, script *script) (int, error) {
	brought := 0
	follow := &follower{begun: func(id resource.ID) {
		brought++
		r.emit(Event{Kind: EventResourceBegun, Host: host, Stage: stage, Resource: id})
	}}
	operations, err := script.reader()
	if err != nil {
		return 0, err
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
	if err != nil && brought > 0 {
		return brought - 1, fmt.Errorf("%s: %w", follow.last, err)
	}
	return brought, err
}

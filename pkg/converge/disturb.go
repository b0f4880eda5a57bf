package converge

import (
	"context"
	"errors"
)

// Disturb prepares a host for the restart of services that run on it, such as by
// moving its work elsewhere. What it returns is called when that is over, with
// how it ended.
type Disturb func(ctx context.Context, host string) (over func(ctx context.Context, err error) error, err error)

// prepared brings a stage about, on a host that is prepared for it where it
// restarts what runs.
func (r *run) prepared(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress) error {
	if r.Disturb == nil || len(stage.restarted()) == 0 {
		return r.bring(ctx, plan, stage, progress)
	}
	over, err := r.Disturb(ctx, plan.Host)
	if err != nil {
		return err
	}
	err = r.bring(ctx, plan, stage, progress)
	return errors.Join(err, over(context.WithoutCancel(ctx), err)) // also after an interrupt
}

// RunsOn tells whether a host is as well off as before after a stage that ended
// with err: it succeeded, or its services run again with their old files.
func RunsOn(err error) bool {
	var back *RolledBackError
	return err == nil || errors.As(err, &back) && back.Failed == nil && len(back.Down) == 0
}

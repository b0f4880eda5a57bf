package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"provision/pkg/resource"
)

// Options are what Apply works with.
type Options struct {
	Run Run
	// Hosts are the open connections, by host name.
	Hosts map[string]Connection
	// Artifacts supplies what is uploaded.
	Artifacts Artifacts
	// PushImage puts an image into the registry that the connection's host
	// serves and returns its manifest's digest; authorityPEM signed the
	// registry's certificate.
	PushImage func(ctx context.Context, host Connection, image resource.Image, artifacts Artifacts, authorityPEM []byte) (string, error)
	// Observer is told how far the run came; it may be called by several hosts
	// at once.
	Observer func(Event)
	// MaxUnavailable is how many hosts may be at once in a stage in which they
	// restart what runs: without it one, or a tenth of the hosts that have the
	// stage.
	MaxUnavailable Limit
	// MaxFail is the number of failed hosts from which on no other is begun; 0
	// begins all.
	MaxFail int
	// Disturb, if set, is called around the restart of services that run.
	Disturb Disturb

	// interval replaces endpointInterval in tests, patience guardPatience, settle
	// settlingTime.
	interval time.Duration
	patience time.Duration
	settle   time.Duration
}

// Outcome is how a run ended on each host.
type Outcome struct {
	Hosts []HostOutcome `json:"hosts"`
	// Refused tells why nothing was done on any host: another run is at work, or
	// was since the plan was made.
	Refused error `json:"-"`
}

// HostOutcome is how a run ended on one host.
type HostOutcome struct {
	Host    string        `json:"host"`
	Changed int           `json:"changed"`
	Stages  []StageTiming `json:"stages"`
	Err     error         `json:"-"`
}

// StageTiming is when a stage ran; the times are those of the machine that ran
// provision.
type StageTiming struct {
	Stage string    `json:"stage"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Err joins what failed on the hosts, nil when nothing did.
func (o *Outcome) Err() error {
	if o.Refused != nil {
		return o.Refused
	}
	var errs *multierror.Error
	for _, host := range o.Hosts {
		if host.Err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: %w", host.Host, host.Err))
		}
	}
	return errs.ErrorOrNil()
}

// Failed counts the hosts that a run did not converge.
func (o *Outcome) Failed() int {
	failed := 0
	for _, host := range o.Hosts {
		if host.Err != nil {
			failed++
		}
	}
	return failed
}

// run is one execution of a plan.
type run struct {
	Options
	plan     *Plan
	gates    map[string]*gate
	turns    map[string]*turn
	failures failures
	signers  *signers
	observer sync.Mutex
	locks    locks
	// first is the guard of the plan's first host, firstErr why there is none.
	first    *guard
	firstErr error
}

// Apply executes a plan on all hosts at the same time. Hosts wait for each
// other only where a stage says so; a failed host holds up only those that need
// it. Each host is locked while it is changed, the first one for the cluster;
// when Apply returns, no script of this run is at work any more.
func Apply(ctx context.Context, plan *Plan, options Options) *Outcome {
	r := &run{Options: options, plan: plan, gates: newGates(plan), turns: newTurns(plan, options.MaxUnavailable)}
	r.signers = newSigners(plan, options.Hosts)
	defer r.locks.release()
	if err := r.lockCluster(ctx); err != nil {
		return &Outcome{Hosts: []HostOutcome{}, Refused: err}
	}
	outcome := &Outcome{Hosts: make([]HostOutcome, len(plan.Hosts))}
	var group sync.WaitGroup
	for i := range plan.Hosts {
		group.Go(func() { outcome.Hosts[i] = r.host(ctx, &plan.Hosts[i]) })
	}
	group.Wait()
	return outcome
}

func (r *run) emit(event Event) {
	if r.Observer == nil {
		return
	}
	r.observer.Lock()
	defer r.observer.Unlock()
	event.Time = time.Now()
	r.Observer(event)
}

// host goes through the stages of one host. Every stage's gate is passed, with
// the error from the stage that failed on, and no turn is left waiting for the
// host.
func (r *run) host(ctx context.Context, plan *HostPlan) HostOutcome {
	outcome := HostOutcome{Host: plan.Host, Stages: []StageTiming{}, Err: plan.Err}
	progress := newProgress(r.Run, plan)
	guard, err := r.lock(ctx, plan)
	switch {
	case guard != nil:
		var done context.CancelFunc
		ctx, done = guard.watch(ctx)
		defer done()
	case outcome.Err == nil && len(plan.Changes()) == 0:
		outcome.Err = err
	case progress != nil:
		progress.unlocked = err
	}
	for i := range plan.Stages {
		stage := &plan.Stages[i]
		if outcome.Err == nil && len(stage.Changes) > 0 {
			timing, err := r.stage(ctx, plan, stage, progress)
			outcome.Err = err
			outcome.Stages = append(outcome.Stages, timing)
			r.failures.add(plan.Host, err)
		}
		r.turns[stage.Name].forgo(plan.Host)
		r.gates[stage.Name].pass(plan.Host, outcome.Err)
	}
	if progress != nil {
		outcome.Changed = progress.brought
	}
	return outcome
}

func (r *run) stage(ctx context.Context, plan *HostPlan, stage *StagePlan, progress *progress) (timing StageTiming, failed error) {
	err := progress.unlocked
	if err == nil {
		err = r.await(ctx, plan, stage)
	}
	disturbs := len(stage.restarted()) > 0
	if err == nil && disturbs {
		if err = r.takeTurn(ctx, plan, stage); err == nil {
			defer func() { r.turns[stage.Name].leave(plan.Host, failed) }()
		}
	}
	if err == nil && !progress.begun {
		err = r.failures.check(r.MaxFail)
	}
	timing = StageTiming{Stage: stage.Name, Start: time.Now()}
	if err == nil {
		r.emit(Event{Kind: EventStageStarted, Host: plan.Host, Stage: stage.Name})
		err = r.prepared(ctx, plan, stage, progress)
	}
	timing.End = time.Now()
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLockLost) && !errors.Is(err, errLockLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if err != nil {
		r.emit(Event{Kind: EventStageFailed, Host: plan.Host, Stage: stage.Name, Err: err})
		return timing, fmt.Errorf("stage %s: %w", stage.Name, err)
	}
	r.emit(Event{Kind: EventStageDone, Host: plan.Host, Stage: stage.Name, Seconds: timing.End.Sub(timing.Start).Seconds()})
	return timing, nil
}

// await waits for the stages of other hosts that this one needs.
func (r *run) await(ctx context.Context, plan *HostPlan, stage *StagePlan) error {
	closed := slices.DeleteFunc(slices.Clone(stage.After), func(name string) bool { return r.gates[name] == nil || r.gates[name].open() })
	if len(closed) > 0 {
		r.emit(Event{Kind: EventStageWaiting, Host: plan.Host, Stage: stage.Name, Waits: closed})
	}
	for _, name := range stage.After {
		if gate := r.gates[name]; gate != nil {
			if err := gate.wait(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeTurn waits until the host may restart what runs on it.
func (r *run) takeTurn(ctx context.Context, plan *HostPlan, stage *StagePlan) error {
	turn := r.turns[stage.Name]
	if turn.waits(plan.Host) {
		r.emit(Event{Kind: EventStageWaiting, Host: plan.Host, Stage: stage.Name, Waits: []string{stage.Name}})
	}
	return turn.take(ctx, stage.Name, plan.Host)
}

// progress is the record of a host while a run changes it.
type progress struct {
	record *Record
	// declared are the resources of the plan but those that are to be removed.
	declared map[resource.ID]bool
	// begun tells that the record on the host is marked.
	begun bool
	// brought counts the resources that were brought about.
	brought int
	// unlocked tells why the host could not be locked: nothing is done to it.
	unlocked error
}

// newProgress starts from what the host remembers and what was found as wanted,
// with every service that the plan starts marked: wherever the run is cut
// short, the next one finds the mark and restarts the service.
func newProgress(id Run, plan *HostPlan) *progress {
	if plan.Err != nil {
		return nil
	}
	record, declared := plan.last.next(id), map[resource.ID]bool{}
	for _, name := range plan.forgotten {
		delete(record.Resources, name)
		delete(record.Places, name)
	}
	for _, stage := range plan.Stages {
		for _, r := range stage.resources {
			name := r.ID().String()
			if places := resource.Places(r); len(places) > 0 {
				record.Places[name] = places
			} else {
				delete(record.Places, name)
			}
			declared[r.ID()] = true
			service, isService := r.(resource.Service)
			switch changed := plan.view.Changed[r.ID()]; {
			case !changed:
				record.Resources[name] = r.Want(plan.viewOf(r))
			case isService && service.Starts(plan.viewOf(r)):
				record.Resources[name] = service.Interrupted(plan.viewOf(r))
			}
		}
	}
	markPast(plan, record)
	return &progress{record: record, declared: declared}
}

// done remembers what a stage applied.
func (p *progress) done(applied map[resource.ID]resource.State) {
	for id, state := range applied {
		if state == nil {
			delete(p.record.Resources, id.String())
			if !p.declared[id] {
				delete(p.record.Places, id.String())
			}
			continue
		}
		p.record.Resources[id.String()] = state
	}
}

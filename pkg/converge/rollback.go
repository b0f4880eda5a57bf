package converge

import (
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"provision/pkg/resource"
)

// rollbackStage is the only stage of a rollback.
const rollbackStage = "rollback"

// keptRuns is how many journals a host keeps; journal.sh removes older ones.
const keptRuns = 5

// past is a resource that a run changed, on its way back.
type past struct {
	id     resource.ID
	before resource.State
	places []string
	ops    []resource.Op
	// service is the unit that starts again, none where this is nothing of that
	// kind.
	service resource.Service
}

var _ resource.Resource = past{}

// ID is that of the resource.
func (p past) ID() resource.ID { return p.id }

// Validate finds nothing: the resource was there.
func (p past) Validate() error { return nil }

// Digest is nobody's: nothing is declared.
func (p past) Digest() string { return "" }

// Ask asks nothing.
func (p past) Ask(*resource.Questions) {}

// Want is what the host remembered before the run.
func (p past) Want(resource.View) resource.State { return p.before }

// Have is what it remembers now.
func (p past) Have(v resource.View) resource.State { return v.Last }

// Bring undoes the run, as a whole, with its first resource.
func (p past) Bring(resource.View, resource.Materials) (resource.Operations, error) {
	return resource.Operations{Ops: p.ops, Applied: p.before}, nil
}

// NewRollback plans to bring back what a run changed on these hosts. It is an
// error where that would take with it what a later run did, or where a journal
// is gone. The hosts were looked at for what the services' endpoints are asked
// with.
func NewRollback(desired []resource.Host, observed map[string]Observation, histories []HostHistory, run string) (*Plan, error) {
	plan := &Plan{authorities: findAuthorities(desired, observed)}
	var errs *multierror.Error
	found, seen := false, true
	for _, history := range histories {
		host := HostPlan{Host: history.Host, Err: history.Err, last: history.record, recordSum: history.recordSum}
		host.view = resource.View{Facts: &resource.Facts{}, Changed: map[resource.ID]bool{}}
		at := slices.IndexFunc(history.Runs, func(p PastRun) bool { return p.ID == run })
		switch {
		case history.Err != nil:
			seen = false
		case at >= 0:
			found = true
			if err := history.conflict(at); err != nil {
				errs = multierror.Append(errs, err)
				continue
			}
			i := slices.IndexFunc(desired, func(h resource.Host) bool { return h.Name == history.Host })
			host.Stages = []StagePlan{{Name: rollbackStage, Changes: history.changes(at, desired[i])}}
		case len(history.Runs) == keptRuns && history.Runs[0].ID > run:
			errs = multierror.Append(errs, fmt.Errorf("%s: if run %s changed it, its journal is gone: the oldest of the last %d runs there is %s; leave the host out with --limit", history.Host, run, keptRuns, history.Runs[0].ID))
		}
		plan.Hosts = append(plan.Hosts, host)
	}
	if !found && seen && errs.ErrorOrNil() == nil {
		return nil, fmt.Errorf("no host has a journal of run %s: each keeps those of the last %d runs that changed it; provision history lists them", run, keptRuns)
	}
	return plan, errs.ErrorOrNil()
}

// conflict tells which later run changed a file that a run did.
func (h *HostHistory) conflict(at int) error {
	for _, later := range h.Runs[at+1:] {
		for _, path := range later.paths {
			if slices.Contains(h.Runs[at].paths, path) {
				return fmt.Errorf("%s: run %s (by %s) has changed %s since run %s: roll that one back first, with --run %s", h.Host, later.ID, later.By, path, h.Runs[at].ID, later.ID)
			}
		}
	}
	return nil
}

// changes are what goes back, the last first; what can't go back stays.
func (h *HostHistory) changes(at int, declared resource.Host) []Change {
	var changes []Change
	run := h.Runs[at]
	for _, change := range slices.Backward(run.Changes) {
		if change.RolledBack || !goesBack(change.Resource.Kind) {
			continue
		}
		p := past{id: change.Resource, before: h.before.Last(change.Resource), places: h.before.Places[change.Resource.String()]}
		back := Change{Resource: change.Resource, Action: ActionRestore, Cause: CauseRollback, Differences: []resource.Difference{}}
		if change.Resource.Kind == "service" && slices.Contains(run.restarts, change.Resource.Name) {
			back.Action, p.service = ActionRestart, resource.Service{Unit: change.Resource.Name}
			for _, r := range declared.Resources() {
				if service, ok := r.(resource.Service); ok && service.ID() == change.Resource {
					p.service = service
				}
			}
		}
		if len(changes) == 0 {
			p.ops = []resource.Op{{Verb: "undo", Args: []string{run.ID}}}
		}
		back.resource = p
		changes = append(changes, back)
	}
	return changes
}

// goesBack tells whether the journal can bring a kind back.
func goesBack(kind string) bool {
	return !slices.Contains([]string{"authority", "command", "image", "module", "package"}, kind)
}

// markPast prepares a record for a rollback: services are marked until they run
// with their old files, and what comes back is known to be provision's.
func markPast(plan *HostPlan, record *Record) {
	for _, change := range plan.Changes() {
		p, ok := change.resource.(past)
		if !ok {
			continue
		}
		name := p.id.String()
		if len(p.places) > 0 {
			record.Places[name] = p.places
		}
		if p.service.Unit == "" {
			continue
		}
		state := slices.Clone(record.Resources[name])
		for i := range state {
			if state[i].Name == resource.InputsAttribute {
				state[i].Value = "interrupted"
			}
		}
		record.Resources[name] = state
	}
}

package report

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

// Steps measures, from the events of a run, how long each resource took, over
// all hosts: what it remembers does not grow with their number. The zero value
// is ready; it is safe for concurrent use.
type Steps struct {
	mutex sync.Mutex
	// open is what each host is at.
	open  map[string]openStep
	taken map[stepKey]*Step
}

type stepKey struct {
	stage    string
	resource resource.ID
	upload   bool
}

type openStep struct {
	stepKey
	since time.Time
}

// Step is how long one resource took.
type Step struct {
	Stage    string `json:"stage"`
	Resource string `json:"resource"`
	// Upload tells that it is the upload alone.
	Upload bool `json:"upload,omitempty"`
	Hosts  int  `json:"hosts"`
	// Seconds are the longest of a host, the one named Slowest; Mean is over all.
	Seconds float64 `json:"seconds"`
	Slowest string  `json:"slowest"`
	Mean    float64 `json:"mean"`

	total time.Duration
}

// Event takes note of an event.
func (s *Steps) Event(event converge.Event) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.open == nil {
		s.open, s.taken = map[string]openStep{}, map[stepKey]*Step{}
	}
	switch event.Kind {
	case converge.EventResourceBegun, converge.EventUploadStarted:
		s.close(event)
		key := stepKey{event.Stage, event.Resource, event.Kind == converge.EventUploadStarted}
		s.open[event.Host] = openStep{key, event.Time}
	case converge.EventStageDone, converge.EventStageFailed:
		s.close(event)
	case converge.EventStageWaiting, converge.EventStageStarted, converge.EventUploadMoved:
	}
}

func (s *Steps) close(event converge.Event) {
	open, ok := s.open[event.Host]
	if !ok {
		return
	}
	delete(s.open, event.Host)
	step := s.taken[open.stepKey]
	if step == nil {
		step = &Step{Stage: open.stage, Resource: open.resource.String(), Upload: open.upload}
		s.taken[open.stepKey] = step
	}
	took := max(event.Time.Sub(open.since), 0)
	if step.Hosts == 0 || took.Seconds() > step.Seconds {
		step.Seconds, step.Slowest = took.Seconds(), event.Host
	}
	step.Hosts++
	step.total += took
}

// Slowest lists the steps that took longest, at most a number of them.
func (s *Steps) Slowest(most int) []Step {
	if s == nil {
		return []Step{}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	steps := make([]Step, 0, len(s.taken))
	for _, step := range s.taken {
		done := *step
		done.Mean = milliseconds(step.total / time.Duration(step.Hosts))
		done.Seconds = milliseconds(time.Duration(step.Seconds * float64(time.Second)))
		steps = append(steps, done)
	}
	slices.SortFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Resource, b.Resource))
	})
	return steps[:min(most, len(steps))]
}

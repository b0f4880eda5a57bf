package report

import (
	"strings"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

// progressState is what is known of a run that is under way.
type progressState struct {
	began  time.Time
	hosts  []*hostProgress
	byName map[string]*hostProgress
	// order is where each stage stands, so that it stands there all the time.
	order map[string]int
	// nameWidth and stageWidth are the widest name of a host and of a stage.
	nameWidth  int
	stageWidth int
}

// phase is what a host is at.
type phase int

const (
	phasePending phase = iota
	phaseWaiting
	phaseWorking
	phaseUploading
	phaseDone
	phaseFailed
	phaseBlocked
)

// hostProgress is how far one host came.
type hostProgress struct {
	name  string
	phase phase
	// stages is the number of stages with changes, ended of them are over.
	stages  int
	ended   int
	changes int

	stage    string
	resource resource.ID
	waits    []string
	// since is when the host began what it does now, first when the run began on
	// it, and last when it ended.
	since, first, last time.Time

	// uploaded of total bytes of the current file, since uploadBegan.
	uploaded, total int64
	uploadBegan     time.Time
	// stageBytes were uploaded in this stage, bytes in all.
	stageBytes, bytes int64

	// failure is what failed, in a line.
	failure string
}

func newProgressState(plan *converge.Plan, now time.Time) *progressState {
	s := &progressState{began: now, byName: map[string]*hostProgress{}, order: map[string]int{}}
	for i, name := range stageOrder(plan) {
		s.order[name] = i + 1
	}
	for _, host := range plan.Hosts {
		changes := len(host.Changes())
		if host.Err != nil || changes == 0 {
			continue
		}
		h := s.host(host.Host)
		h.changes, h.first, h.since = changes, now, now
		for _, stage := range host.Stages {
			if len(stage.Changes) > 0 {
				h.stages++
				s.stageWidth = max(s.stageWidth, columns(clean(stage.Name)))
			}
		}
	}
	return s
}

// host finds a host, and adds one that the plan doesn't have.
func (s *progressState) host(name string) *hostProgress {
	h := s.byName[name]
	if h == nil {
		h = &hostProgress{name: name}
		s.byName[name] = h
		s.hosts = append(s.hosts, h)
		s.nameWidth = max(s.nameWidth, columns(clean(name)))
	}
	return h
}

// note moves the host on by an event.
func (h *hostProgress) note(event converge.Event, now time.Time) {
	if event.Stage != h.stage {
		h.stage, h.stageBytes, h.resource = event.Stage, 0, resource.ID{}
	}
	switch event.Kind {
	case converge.EventStageWaiting:
		h.phase, h.waits, h.since = phaseWaiting, event.Waits, now
	case converge.EventStageStarted:
		h.phase, h.since = phaseWorking, now
	case converge.EventResourceBegun:
		h.phase, h.resource = phaseWorking, event.Resource
	case converge.EventUploadStarted:
		h.phase, h.resource = phaseUploading, event.Resource
		h.uploaded, h.total, h.uploadBegan = 0, event.Total, now
	case converge.EventUploadMoved:
		h.uploaded += event.Bytes
		h.stageBytes += event.Bytes
		h.bytes += event.Bytes
	case converge.EventStageDone:
		h.ended++
		h.phase, h.last, h.since, h.resource = phasePending, now, now, resource.ID{}
		if h.ended >= h.stages {
			h.phase = phaseDone
		}
	case converge.EventStageFailed:
		h.phase, h.last, h.failure = phaseFailed, now, firstLine(event)
		if isBlocked(event.Err) {
			h.phase = phaseBlocked
		}
	}
}

// rate is the present upload's speed in bytes per second, 0 while it is too
// young to tell.
func (h *hostProgress) rate(now time.Time) float64 {
	took := now.Sub(h.uploadBegan)
	if took < redrawEvery {
		return 0
	}
	return float64(h.uploaded) / took.Seconds()
}

// waitsFor lists the stages that the host waits for.
func (h *hostProgress) waitsFor() string { return strings.Join(h.waits, ", ") }

package report

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"provision/pkg/converge"
)

// EventFormat names the format of EventLine; see PlanFormat for when its number
// grows.
const EventFormat = "provision.event/1"

// EventLine is one event of a run as JSON, on one line. docs/events.md tells
// which kinds have which fields.
type EventLine struct {
	Format     string             `json:"format"`
	Time       time.Time          `json:"time"`
	Event      converge.EventKind `json:"event"`
	Host       string             `json:"host,omitempty"`
	Stage      string             `json:"stage,omitempty"`
	Resource   string             `json:"resource,omitempty"`
	Waits      []string           `json:"waits,omitempty"`
	Bytes      int64              `json:"bytes,omitempty"`
	Total      int64              `json:"total,omitempty"`
	Seconds    float64            `json:"seconds,omitempty"`
	Error      string             `json:"error,omitempty"`
	Cluster    string             `json:"cluster,omitempty"`
	Run        *converge.Run      `json:"run,omitempty"`
	Hosts      int                `json:"hosts,omitempty"`
	Plan       *PlanSummary       `json:"plan,omitempty"`
	Check      *Check             `json:"check,omitempty"`
	Summary    *RunSummary        `json:"summary,omitempty"`
	Exit       *int               `json:"exit,omitempty"`
	Level      string             `json:"level,omitempty"`
	Message    string             `json:"message,omitempty"`
	Attributes map[string]string  `json:"attributes,omitempty"`
}

// The kinds of event besides those of the engine.
const (
	eventRunStarted   converge.EventKind = "run-started"
	eventHostObserved converge.EventKind = "host-observed"
	eventPlanMade     converge.EventKind = "plan-made"
	eventCheckDone    converge.EventKind = "check-done"
	eventRunEnded     converge.EventKind = "run-ended"
	eventLog          converge.EventKind = "log"
)

// Events writes a run's events, a JSON object a line. It is safe for concurrent
// use; nil Events tell nothing.
type Events struct {
	w   io.Writer
	now func() time.Time

	mutex   sync.Mutex
	uploads map[string]*uploadMeter
}

// uploadMeter is how far a host's upload came.
type uploadMeter struct {
	bytes, total int64
	stageBytes   int64
	told         time.Time
}

// NewEvents writes events by a clock.
func NewEvents(w io.Writer, now func() time.Time) *Events {
	return &Events{w: w, now: now, uploads: map[string]*uploadMeter{}}
}

// RunStarted tells that a run begins to look at its hosts.
func (e *Events) RunStarted(cluster string, run converge.Run, hosts int) {
	e.write(EventLine{Event: eventRunStarted, Cluster: cluster, Run: &run, Hosts: hosts})
}

// HostObserved tells that a host was looked at, or why it could not be.
func (e *Events) HostObserved(host string, took time.Duration, err error) {
	e.write(EventLine{Event: eventHostObserved, Host: host, Seconds: milliseconds(took), Error: errorText(err)})
}

// PlanMade tells what the run will do.
func (e *Events) PlanMade(plan *converge.Plan) {
	if e == nil {
		return
	}
	e.write(EventLine{Event: eventPlanMade, Plan: &PlanSummary{Summary: plan.Summary(), Causes: countCauses(plan)}})
}

// CheckDone tells what one check of the verification found.
func (e *Events) CheckDone(check Check) { e.write(EventLine{Event: eventCheckDone, Check: &check}) }

// RunEnded is the last event of a run.
func (e *Events) RunEnded(account *Account) {
	if e == nil {
		return
	}
	summary := summarize(account.Settled())
	e.write(EventLine{Event: eventRunEnded, Summary: &summary, Exit: &account.Exit, Error: errorText(account.Err)})
}

// uploadEvery is how often a host's upload is told of at most.
const uploadEvery = time.Second

// Event tells an event of the engine. Bytes are those of the upload so far, and
// of a stage that has ended all that it uploaded.
func (e *Events) Event(event converge.Event) {
	if e == nil {
		return
	}
	line := EventLine{
		Time: event.Time, Event: event.Kind, Host: event.Host, Stage: event.Stage, Waits: event.Waits,
		Total: event.Total, Seconds: milliseconds(time.Duration(event.Seconds * float64(time.Second))), Error: errorText(event.Err),
	}
	if event.Resource.Kind != "" {
		line.Resource = event.Resource.String()
	}
	e.mutex.Lock()
	tell := e.meter(event, &line)
	e.mutex.Unlock()
	if tell {
		e.write(line)
	}
}

// meter adds up uploads, and tells whether a line is to be written.
func (e *Events) meter(event converge.Event, line *EventLine) bool {
	m := e.uploads[event.Host]
	if m == nil {
		m = &uploadMeter{}
		e.uploads[event.Host] = m
	}
	switch event.Kind {
	case converge.EventUploadStarted:
		m.bytes, m.total = 0, event.Total
	case converge.EventUploadMoved:
		m.bytes += event.Bytes
		m.stageBytes += event.Bytes
		now := e.now()
		if now.Sub(m.told) < uploadEvery {
			return false
		}
		m.told = now
		line.Bytes, line.Total = m.bytes, m.total
	case converge.EventStageDone, converge.EventStageFailed:
		line.Bytes, m.stageBytes = m.stageBytes, 0
	case converge.EventStageWaiting, converge.EventStageStarted, converge.EventResourceBegun:
	}
	return true
}

// write writes a line at once; lines of several hosts never mix.
func (e *Events) write(line EventLine) {
	if e == nil {
		return
	}
	line.Format = EventFormat
	if line.Time.IsZero() {
		line.Time = e.now()
	}
	line.Time = line.Time.UTC()
	text, err := json.Marshal(line)
	if err != nil {
		return // no field of it can fail
	}
	text = append(printableJSON(text), '\n')
	e.mutex.Lock()
	defer e.mutex.Unlock()
	_, _ = e.w.Write(text)
}

package converge

import (
	"time"

	"provision/pkg/resource"
)

// Event tells how far a run came. Events of one host are in order.
type Event struct {
	Time     time.Time   `json:"time"`
	Kind     EventKind   `json:"event"`
	Host     string      `json:"host"`
	Stage    string      `json:"stage,omitempty"`
	Resource resource.ID `json:"resource,omitzero"`
	// Waits names the stages that the host waits for.
	Waits []string `json:"waits,omitempty"`
	// Bytes of Total were uploaded since the last event of the same upload.
	Bytes int64 `json:"bytes,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Seconds is how long the stage took.
	Seconds float64 `json:"seconds,omitempty"`
	Err     error   `json:"-"`
}

// EventKind says what happened.
type EventKind string

// The kinds of event.
const (
	EventStageWaiting  EventKind = "stage-waiting"
	EventStageStarted  EventKind = "stage-started"
	EventStageDone     EventKind = "stage-done"
	EventStageFailed   EventKind = "stage-failed"
	EventResourceBegun EventKind = "resource-begun"
	EventUploadStarted EventKind = "upload-started"
	EventUploadMoved   EventKind = "upload-moved"
)

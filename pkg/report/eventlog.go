package report

import (
	"context"
	"log/slog"
	"maps"
)

// Handler turns log records into events.
func (e *Events) Handler(level slog.Level) slog.Handler {
	return &eventHandler{events: e, level: level}
}

type eventHandler struct {
	events     *Events
	level      slog.Level
	group      string
	attributes map[string]string
}

// Enabled tells whether a level is logged.
func (h *eventHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle writes a record as an event; its host is the event's.
func (h *eventHandler) Handle(_ context.Context, record slog.Record) error {
	attributes := maps.Clone(h.attributes)
	if attributes == nil {
		attributes = map[string]string{}
	}
	record.Attrs(func(a slog.Attr) bool {
		attributes[h.group+a.Key] = a.Value.Resolve().String()
		return true
	})
	line := EventLine{Time: record.Time, Event: eventLog, Level: record.Level.String(), Message: record.Message}
	line.Host = attributes["host"]
	delete(attributes, "host")
	line.Attributes = attributes
	h.events.write(line)
	return nil
}

// WithAttrs is a handler that adds attributes.
func (h *eventHandler) WithAttrs(added []slog.Attr) slog.Handler {
	more := *h
	more.attributes = maps.Clone(h.attributes)
	if more.attributes == nil {
		more.attributes = map[string]string{}
	}
	for _, a := range added {
		more.attributes[h.group+a.Key] = a.Value.Resolve().String()
	}
	return &more
}

// WithGroup is a handler that puts a name before those of attributes.
func (h *eventHandler) WithGroup(name string) slog.Handler {
	more := *h
	if name != "" {
		more.group += name + "."
	}
	return &more
}

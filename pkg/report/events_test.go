package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/pkg/converge"
)

// lines decodes events, and refuses what is no line of JSON.
func lines(t *testing.T, text string) []EventLine {
	t.Helper()
	var events []EventLine
	for line := range strings.Lines(text) {
		var event EventLine
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&event); err != nil || event.Format != EventFormat || event.Time.IsZero() || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%v in %q", err, line)
		}
		if bare := strings.TrimSuffix(line, "\n"); clean(bare) != bare {
			t.Errorf("not clean: %q", line)
		}
		events = append(events, event)
	}
	return events
}

func TestEvents_Golden(t *testing.T) {
	c := &clock{begin}
	var out bytes.Buffer
	account := completeRun([]string{"slave1", "slave2"}, true)
	e := NewEvents(&out, c.Now)
	e.RunStarted(account.Cluster, account.Run, 3)
	e.HostObserved("master", 80*time.Millisecond, nil)
	e.HostObserved("slave1", 0, errors.New("connect: no route to host"))
	e.PlanMade(account.Plan)
	p := NewProgressWith(&bytes.Buffer{}, Style{}, account.Plan, ProgressOptions{Now: c.Now})
	midwayEvents(c, func(event converge.Event) {
		event.Time = c.now
		p.Event(event)
		e.Event(event)
	})
	done := event(converge.EventStageDone, "slave1", "slave-programs")
	done.Time, done.Seconds = at(7), 6.2
	e.Event(done)
	failed := event(converge.EventStageFailed, "slave1", "node")
	failed.Time, failed.Err = at(8), commandError("slave1", 7)
	e.Event(failed)
	e.CheckDone(verified(nil, false)[0])
	slog.New(e.Handler(slog.LevelDebug)).With("host", "slave1").Debug("ssh exec", "command", "apply node", "duration", time.Second)
	account.Exit = 3
	e.RunEnded(account)
	lines(t, out.String())
	golden(t, "events.jsonl", regexp.MustCompile(`"time":"\d{4}-[^"]*","event":"log"`).ReplaceAll(out.Bytes(), []byte(`"time":"NOW","event":"log"`)))
}

func TestEvents_AnUploadIsToldOfOnceASecondAndHost(t *testing.T) {
	c := &clock{begin}
	var out bytes.Buffer
	e := NewEvents(&out, c.Now)
	for _, host := range []string{"a", "b"} {
		e.Event(upload(converge.EventUploadStarted, host, 0, 1000))
	}
	for range 100 { // ten seconds
		for _, host := range []string{"a", "b"} {
			e.Event(upload(converge.EventUploadMoved, host, 10, 0))
		}
		c.now = c.now.Add(100 * time.Millisecond)
	}
	e.Event(event(converge.EventStageDone, "a", "slave-programs"))
	told := map[string][]int64{}
	for _, line := range lines(t, out.String()) {
		if line.Event == converge.EventUploadMoved || line.Event == converge.EventStageDone {
			told[line.Host] = append(told[line.Host], line.Bytes)
		}
	}
	want := []int64{10, 110, 210, 310, 410, 510, 610, 710, 810, 910}
	if !slices.Equal(told["b"], want) || !slices.Equal(told["a"], append(want, 1000)) {
		t.Errorf("got %v", told)
	}
}

func TestEvents_HostileTextStaysOnItsLine(t *testing.T) {
	plan, outcome := hostile()
	out := &lockedBuffer{}
	e := NewEvents(out, time.Now)
	e.RunStarted(evil, converge.Run{ID: evil, By: evil}, 1)
	e.HostObserved(evil, 0, errors.New(evil))
	e.PlanMade(plan)
	e.CheckDone(Check{Name: evil, Host: evil, Detail: evil})
	slog.New(e.Handler(slog.LevelDebug)).With(evil, evil).WithGroup(evil).Debug(evil, evil, errors.New(evil))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 500 {
				e.Event(randomEvent(r))
			}
		})
	}
	group.Wait()
	e.RunEnded(&Account{Plan: plan, Applied: outcome, Err: errors.New(evil)})
	lines(t, out.buffer.String())
}

var rowPattern = regexp.MustCompile(`(?m)^\| ([a-z-]+) \| `)

// TestEvents_DocumentationIsComplete compares docs/events.md with the code.
func TestEvents_DocumentationIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds, fields, _ := strings.Cut(string(text), "## Fields")
	rows := func(text string) []string {
		_, text, _ = strings.Cut(text, "|---|")
		var names []string
		for _, match := range rowPattern.FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
		return names
	}
	var want []string
	for field := range reflect.TypeFor[EventLine]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	got := rows(fields)
	if !slices.Equal(got, want) {
		t.Errorf("the page has the fields %q, the code %q", got, want)
	}
	all := []converge.EventKind{
		eventRunStarted, eventHostObserved, eventPlanMade, converge.EventStageWaiting, converge.EventStageStarted,
		converge.EventStageDone, converge.EventStageFailed, converge.EventResourceBegun, converge.EventUploadStarted,
		converge.EventUploadMoved, eventCheckDone, eventRunEnded, eventLog,
	}
	if got := rows(kinds); fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("the page has the kinds %q, the code %q", got, all)
	}
}

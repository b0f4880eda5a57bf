package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

// clock is a clock that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func event(kind converge.EventKind, host, stage string) converge.Event {
	return converge.Event{Kind: kind, Host: host, Stage: stage}
}

func upload(kind converge.EventKind, host string, bytes, total int64) converge.Event {
	e := event(kind, host, "slave-programs")
	e.Resource, e.Bytes, e.Total = resource.ID{Kind: "artifact", Name: "/usr/local/bin/kubelet"}, bytes, total
	return e
}

// midway moves a first install on to where each host is at something else.
func midway(p *Progress, c *clock) { midwayEvents(c, p.Event) }

// midwayEvents are the events of midway.
func midwayEvents(c *clock, tell func(converge.Event)) {
	c.now = at(1)
	for _, host := range []string{"master", "slave1", "slave2", "registry"} {
		tell(event(converge.EventStageStarted, host, "prepare"))
	}
	c.now = at(3)
	for _, host := range []string{"master", "slave1", "slave2", "registry"} {
		done := event(converge.EventStageDone, host, "prepare")
		done.Seconds = 2
		tell(done)
	}
	tell(event(converge.EventStageStarted, "slave1", "slave-programs"))
	tell(upload(converge.EventUploadStarted, "slave1", 0, 74_100_000))
	c.now = at(4)
	tell(upload(converge.EventUploadMoved, "slave1", 40_000_000, 74_100_000))
	waiting := event(converge.EventStageWaiting, "slave2", "node")
	waiting.Waits = []string{"control-plane"}
	tell(waiting)
	begun := event(converge.EventResourceBegun, "master", "control-plane")
	begun.Resource = resource.ID{Kind: "service", Name: "kube-apiserver.service"}
	tell(begun)
	c.now = at(5.5)
}

func TestProgress_LiveGolden(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 24}, {80, 5}, {40, 24}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			c := &clock{begin}
			terminal := newTerminal(t, size[0])
			p := NewProgressWith(terminal, Style{Live: true, Colour: true}, firstInstall(), ProgressOptions{
				Size: func() (int, int) { return size[0], size[1] }, Now: c.Now,
			})
			p.draw()
			midway(p, c)
			failed := event(converge.EventStageFailed, "registry", "registry")
			failed.Err = fmt.Errorf("%w", commandError("registry", 7))
			p.Event(failed)
			p.draw()
			golden(t, fmt.Sprintf("live-%dx%d", size[0], size[1]), []byte(terminal.String()))
			p.Stop()
		})
	}
}

func TestProgress_PlainGolden(t *testing.T) {
	c := &clock{begin}
	var out bytes.Buffer
	p := NewProgressWith(&out, Style{}, firstInstall(), ProgressOptions{Now: c.Now})
	p.Start()
	midway(p, c)
	done := event(converge.EventStageDone, "slave1", "slave-programs")
	done.Seconds = 6.2
	p.Event(done)
	failed := event(converge.EventStageFailed, "slave1", "node")
	failed.Err = commandError("slave1", 7)
	p.Event(failed)
	blocked := event(converge.EventStageFailed, "slave2", "node")
	blocked.Err = &converge.BlockedError{Stage: "control-plane", Hosts: []string{"master"}}
	p.Event(blocked)
	p.Stop()
	golden(t, "progress-plain", out.Bytes())
}

// randomEvent is any event, with names that are long, wide and hostile.
func randomEvent(r *rand.Rand) converge.Event {
	kinds := []converge.EventKind{
		converge.EventStageWaiting, converge.EventStageStarted, converge.EventStageDone, converge.EventStageFailed,
		converge.EventResourceBegun, converge.EventUploadStarted, converge.EventUploadMoved,
	}
	names := []string{"a", "slave1", strings.Repeat("long", 30), "漢字漢字漢字", "\x1b[2Jevil\n", "e\u0301\u202e\xff", ""}
	name := func() string { return names[r.IntN(len(names))] }
	return converge.Event{
		Kind: kinds[r.IntN(len(kinds))], Host: name() + fmt.Sprint(r.IntN(12)), Stage: name(), Resource: resource.ID{Kind: name(), Name: name()},
		Waits: []string{name(), name()}, Bytes: r.Int64N(1e9), Total: r.Int64N(1e10), Err: errors.New(name()),
	}
}

func TestProgress_LiveNeverWrapsNorScrolls(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		state := newProgressState(firstInstall(), begin)
		for i := range 40 {
			e := randomEvent(r)
			state.host(e.Host).note(e, at(float64(i)))
		}
		view := liveView{width: 1 + r.IntN(140), height: 1 + r.IntN(30), now: at(50 + 1e5*r.Float64()), colour: true}
		lines := view.lines(state)
		if len(lines) > max(1, view.height-1) {
			t.Errorf("%d lines on %d rows", len(lines), view.height)
		}
		for _, line := range lines {
			n := 0
			for _, s := range line {
				n += columns(s.text)
				if clean(s.text) != s.text {
					t.Errorf("not clean: %q", s.text)
				}
			}
			if n > view.width-1 {
				t.Errorf("%d columns on a terminal of %d: %v", n, view.width, line)
			}
		}
	}
}

func TestProgress_ManyHostsAreCountedByStage(t *testing.T) {
	state := newProgressState(secondRun(slaves(1000)...), begin)
	waiting := event(converge.EventStageWaiting, "", "node")
	waiting.Waits = []string{"control-plane"}
	for i, name := range slaves(1000) {
		e := waiting
		if i%2 == 0 {
			e = event(converge.EventStageStarted, "", "node")
		}
		e.Host = name
		state.host(name).note(e, begin)
	}
	var out strings.Builder
	for _, line := range (liveView{width: 80, height: 24, now: begin}).lines(state) {
		for _, s := range line {
			out.WriteString(s.text)
		}
		out.WriteByte('\n')
	}
	if want := "500 working, 500 wait for control-plane"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

// lockedBuffer is a buffer that may be written and read at the same time.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
	writes int
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.writes++
	return b.buffer.Write(data)
}

func TestProgress_IsSafeForConcurrentUse(t *testing.T) {
	out := &lockedBuffer{}
	p := NewProgressWith(out, Style{Live: true}, firstInstall(), ProgressOptions{Size: func() (int, int) { return 80, 24 }})
	began := time.Now()
	p.Start()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 2000 {
				p.Event(randomEvent(r))
			}
		})
	}
	group.Wait()
	p.Stop()
	p.Stop()
	if most := int(time.Since(began)/redrawEvery) + 3; out.writes > most {
		t.Errorf("drew %d times, want at most %d", out.writes, most)
	}
	if !strings.HasSuffix(out.buffer.String(), showCursor) {
		t.Error("the cursor stays hidden")
	}
}

func TestProgress_ResourcesAreLinesWhenAskedFor(t *testing.T) {
	var out bytes.Buffer
	c := &clock{begin}
	midway(NewProgressWith(&out, Style{}, firstInstall(), ProgressOptions{Now: c.Now, Resources: true}), c)
	for _, want := range []string{"begun    service kube-apiserver.service\n", "upload   artifact /usr/local/bin/kubelet, 74.1 MB\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestProgress_StaysInPlaceWhenTheTerminalIsResized(t *testing.T) {
	for _, hosts := range []int{3, 1000} {
		c := &clock{begin}
		width := 120
		terminal := newTerminal(t, width)
		fmt.Fprint(terminal, "$ provision\r\n")
		p := NewProgressWith(terminal, Style{Live: true}, secondRun(slaves(hosts)...), ProgressOptions{
			Size: func() (int, int) { return width, 24 }, Now: c.Now,
		})
		for _, next := range []int{120, 61, 40, 132, 80} {
			width = next
			terminal.resize(width)
			p.draw()
			fresh := newTerminal(t, width)
			q := &Progress{w: fresh, style: p.style, options: p.options, state: p.state}
			q.draw()
			if got, want := terminal.String(), "$ provision\n"+fresh.String(); got != want {
				t.Errorf("%d hosts at %d columns: got\n%s\nwant\n%s", hosts, width, got, want)
			}
		}
	}
}

// TestProgress_StagesStayInTheirOrder keeps lines from changing places while
// hosts move on.
func TestProgress_StagesStayInTheirOrder(t *testing.T) {
	state := newProgressState(firstInstall(), begin)
	// The first host is furthest: its stage comes last all the same.
	for host, stage := range map[string]string{"master": "control-plane", "slave1": "node", "slave2": "slave-programs", "registry": "prepare"} {
		state.host(host).note(event(converge.EventStageStarted, host, stage), begin)
	}
	var got []string
	for _, line := range (liveView{width: 80, height: 24, now: begin}).stageLines(state, 22) {
		got = append(got, strings.TrimSpace(line[0].text))
	}
	if want := stageOrder(firstInstall()); !slices.IsSortedFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) }) || len(got) != 4 {
		t.Errorf("got %q, want them in the order of %q", got, want)
	}
}

// BenchmarkProgress_Draw1000Hosts is done ten times a second.
func BenchmarkProgress_Draw1000Hosts(b *testing.B) {
	p := NewProgressWith(io.Discard, Style{Live: true}, secondRun(slaves(1000)...), ProgressOptions{Size: func() (int, int) { return 80, 24 }})
	for i, name := range slaves(1000) {
		p.Event(event(converge.EventStageStarted, name, []string{"node", "prepare-slave"}[i%2]))
	}
	for b.Loop() {
		p.draw()
	}
}

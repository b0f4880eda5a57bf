package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/pkg/converge"
)

// stageSpan is when a stage ran, over all hosts.
type stageSpan struct {
	name       string
	start, end time.Time
	hosts      int
	slowest    string
	longest    time.Duration
	letter     string
}

// WriteTimings writes how long each stage took, and a chart of the hosts over
// time in which every stage has a letter: the row that ends last is the one to
// make faster.
func WriteTimings(w io.Writer, outcome *converge.Outcome, style Style) {
	spans := stageSpans(outcome)
	if len(spans) == 0 {
		return
	}
	p := newPage(w, style)
	begin, end := spans[0].start, spans[0].end
	for _, s := range spans {
		if s.end.After(end) {
			end = s.end
		}
	}
	writeStageTable(p, spans, begin)
	p.blank()
	writeChart(p, outcome, spans, begin, end)
	p.flush()
}

// stageSpans lists the stages by when they began.
func stageSpans(outcome *converge.Outcome) []*stageSpan {
	var spans []*stageSpan
	byName := map[string]*stageSpan{}
	for _, host := range outcome.Hosts {
		for _, timing := range stagesRun(host) {
			s := byName[timing.Stage]
			if s == nil {
				s = &stageSpan{name: timing.Stage, start: timing.Start, end: timing.End}
				byName[timing.Stage] = s
				spans = append(spans, s)
			}
			s.add(host.Host, timing)
		}
	}
	slices.SortStableFunc(spans, func(a, b *stageSpan) int { return a.start.Compare(b.start) })
	for i, s := range spans {
		s.letter = stageLetter(i)
	}
	return spans
}

func (s *stageSpan) add(host string, timing converge.StageTiming) {
	if timing.Start.Before(s.start) {
		s.start = timing.Start
	}
	if timing.End.After(s.end) {
		s.end = timing.End
	}
	if took := timing.End.Sub(timing.Start); s.hosts == 0 || took > s.longest {
		s.longest, s.slowest = took, host
	}
	s.hosts++
}

// stageLetter is a sign for the chart; it repeats after 62 stages.
func stageLetter(i int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	i %= len(letters)
	return letters[i : i+1]
}

func writeStageTable(p *page, spans []*stageSpan, begin time.Time) {
	width := len("stage")
	for _, s := range spans {
		width = max(width, columns(clean(s.name)))
	}
	p.line(0, 2, span{fmt.Sprintf("  %s  %8s %8s %6s  %s", pad("stage", width), "start", "time", "hosts", "slowest"), toneDim})
	for i, s := range spans {
		slowest := ""
		if s.hosts > 1 {
			slowest = s.slowest + " " + elapsed(s.longest)
		}
		p.line(0, width+4, span{s.letter, stageTone(i)}, span{fmt.Sprintf(" %s  %8s %8s %6d  %s", pad(clean(s.name), width),
			elapsed(s.start.Sub(begin)), elapsed(s.end.Sub(s.start)), s.hosts, slowest), tonePlain})
	}
}

// stageTone makes neighbours in the chart differ.
func stageTone(i int) tone {
	return []tone{toneGood, toneNote, toneWarn}[i%3]
}

// chartRows is how many hosts the chart shows.
const chartRows = 20

// longestName is how much of a host's name charts and the live view show.
const longestName = 20

func writeChart(p *page, outcome *converge.Outcome, spans []*stageSpan, begin, end time.Time) {
	hosts := charted(outcome)
	name := 0
	for _, host := range hosts {
		name = max(name, columns(clean(host.Host)))
	}
	name = min(name, longestName)
	scale := scale{begin: begin, total: max(end.Sub(begin), time.Millisecond), width: max(p.style.chart()-name-2, 10)}
	p.line(0, 0, span{pad("", name) + "  " + scale.ruler(), toneDim})
	for _, host := range hosts {
		row := []span{{pad(cut(clean(host.Host), name), name) + "  ", tonePlain}}
		p.line(0, 0, append(row, scale.bar(host, spans)...)...)
	}
	note := "· waiting"
	if busy := len(busyHosts(outcome)); busy > len(hosts) {
		note += fmt.Sprintf("; the slowest %d of %s", len(hosts), count(busy, "host"))
	}
	p.line(name+2, 2, span{note, toneDim})
}

// charted chooses the hosts to show: those that did anything; of many, the
// slowest with each list of stages, then the slowest others, in the order of
// the outcome.
func charted(outcome *converge.Outcome) []converge.HostOutcome {
	busy := busyHosts(outcome)
	if len(busy) <= chartRows {
		return busy
	}
	bySlowest := slices.Clone(busy)
	slices.SortStableFunc(bySlowest, func(a, b converge.HostOutcome) int { return cmp.Compare(spent(b), spent(a)) })
	chosen, lists := map[string]bool{}, map[string]bool{}
	for _, host := range bySlowest {
		if list := stageNames(host); !lists[list] && len(chosen) < chartRows {
			lists[list], chosen[host.Host] = true, true
		}
	}
	for _, host := range bySlowest {
		if len(chosen) < chartRows {
			chosen[host.Host] = true
		}
	}
	return slices.DeleteFunc(busy, func(h converge.HostOutcome) bool { return !chosen[h.Host] })
}

// busyHosts are those on which a stage ran.
func busyHosts(outcome *converge.Outcome) []converge.HostOutcome {
	return slices.DeleteFunc(slices.Clone(outcome.Hosts), func(h converge.HostOutcome) bool { return len(stagesRun(h)) == 0 })
}

func stageNames(host converge.HostOutcome) string {
	var names []string
	for _, timing := range stagesRun(host) {
		names = append(names, timing.Stage)
	}
	return strings.Join(names, "\x00")
}

// scale maps times to columns.
type scale struct {
	begin time.Time
	total time.Duration
	width int
}

func (s scale) column(t time.Time) int {
	return int(t.Sub(s.begin) * time.Duration(s.width) / s.total)
}

// ruler is a line with a mark every few seconds, about ten columns apart.
func (s scale) ruler() string {
	step := time.Second
	for _, next := range []string{"2s", "5s", "10s", "20s", "30s", "1m", "2m", "5m", "10m", "20m", "30m", "1h"} {
		if s.column(s.begin.Add(step)) >= 10 {
			break
		}
		step, _ = time.ParseDuration(next)
	}
	var b strings.Builder
	for t := time.Duration(0); t <= s.total; t += step {
		column, mark := s.column(s.begin.Add(t)), strconv.Itoa(int(t/time.Second))+"s"
		if column < b.Len() || column+len(mark) > s.width {
			continue
		}
		b.WriteString(strings.Repeat(" ", column-b.Len()))
		b.WriteString(mark)
	}
	return b.String()
}

// bar is a host's row: a letter for each column that a stage takes, dots where
// it waited. A stage has at least a column, unless the next one needs it.
func (s scale) bar(host converge.HostOutcome, stages []*stageSpan) []span {
	signs, tones := slices.Repeat([]string{"·"}, s.width), slices.Repeat([]tone{toneDim}, s.width)
	last := 0
	for _, timing := range stagesRun(host) {
		i := slices.IndexFunc(stages, func(stage *stageSpan) bool { return stage.name == timing.Stage })
		from := min(s.column(timing.Start), s.width-1)
		to := min(max(s.column(timing.End), from+1), s.width)
		for column := from; column < to; column++ {
			signs[column], tones[column] = stages[i].letter, stageTone(i)
		}
		last = max(last, to)
	}
	spans := make([]span, last)
	for column := range last {
		spans[column] = span{signs[column], tones[column]}
	}
	return spans
}

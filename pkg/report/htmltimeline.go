package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/pkg/converge"
)

type htmlTimeline struct {
	Scale string
	Marks []htmlMark
	Rows  []htmlRow
	Note  string
}

type htmlMark struct{ X, Text string }

// htmlRow is one host, or many that ended alike, with the bars of the slowest.
type htmlRow struct {
	Name, Also, Tone, State, Changes, Time, Label string
	Bars                                          []htmlBar
}

// htmlBar is a stage at work, or waiting. Places are in percent.
type htmlBar struct {
	Wait, Path                      bool
	X, End, Width, Middle           string
	Class, TextClass, Letter, Title string
}

const (
	// rowsAlone is the number of hosts up to which each has a row of its own.
	rowsAlone = 40
	// rowsInFile bounds the rows.
	rowsInFile = 120
)

// timeline lays a run out over time.
type timeline struct {
	begin, end time.Time
	letters    map[string]int
	after      map[string][]string
	onPath     map[string]bool
	planned    map[string]int
}

func pathKey(host, stage string) string { return host + "\x00" + stage }

func newHTMLTimeline(plan *converge.Plan, outcome *converge.Outcome, spans []*stageSpan, path []PathStep) htmlTimeline {
	begin, end := runTimes(outcome)
	if !end.After(begin) {
		end = begin.Add(time.Millisecond)
	}
	t := &timeline{begin: begin, end: end, letters: map[string]int{}, after: map[string][]string{}, onPath: map[string]bool{}, planned: map[string]int{}}
	for i, s := range spans {
		t.letters[s.name] = i
	}
	for _, host := range plan.Hosts {
		t.planned[host.Host] = len(host.Changes())
		for _, stage := range host.Stages {
			t.after[pathKey(host.Host, stage.Name)] = stage.After
		}
	}
	critical := map[string]bool{}
	for _, step := range path {
		t.onPath[pathKey(step.Host, step.Stage)], critical[step.Host] = true, true
	}
	if len(spans) == 0 {
		return htmlTimeline{}
	}
	groups, left := timelineGroups(outcome, critical)
	view := htmlTimeline{Scale: "Time from 0 to " + elapsed(end.Sub(begin)), Marks: t.marks()}
	for _, g := range groups {
		view.Rows = append(view.Rows, t.row(g))
	}
	if left > 0 {
		view.Note = fmt.Sprintf("The rows are those on the critical path, what failed, and the slowest; %s are left out.", count(left, "more host"))
	}
	return view
}

// timelineGroup is hosts that ended alike.
type timelineGroup struct {
	slowest converge.HostOutcome
	hosts   []string
	least   time.Duration
	rank    int
}

// timelineGroups joins, where there are many, hosts with the same end and the
// same stages. Hosts on the critical path stand alone.
func timelineGroups(outcome *converge.Outcome, critical map[string]bool) (groups []*timelineGroup, left int) {
	byKey := map[string]*timelineGroup{}
	for _, host := range outcome.Hosts {
		key := fmt.Sprint(stateOf(host), host.Changed, "\x00", stageNames(host))
		if len(outcome.Hosts) <= rowsAlone || critical[host.Host] {
			key = "\x00" + host.Host
		}
		g := byKey[key]
		if g == nil {
			g = &timelineGroup{slowest: host, least: spent(host), rank: 2}
			byKey[key] = g
			groups = append(groups, g)
		}
		switch {
		case critical[host.Host]:
			g.rank = 0
		case stateOf(host) != StateOK && stateOf(host) != StateChanged:
			g.rank = 1
		}
		g.hosts = append(g.hosts, host.Host)
		g.least = min(g.least, spent(host))
		if spent(host) > spent(g.slowest) {
			g.slowest = host
		}
	}
	if len(groups) <= rowsInFile {
		return groups, 0
	}
	ranked := slices.Clone(groups)
	slices.SortStableFunc(ranked, func(a, b *timelineGroup) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(spent(b.slowest), spent(a.slowest)))
	})
	keep := map[*timelineGroup]bool{}
	for _, g := range ranked[:rowsInFile] {
		keep[g] = true
	}
	for _, g := range ranked[rowsInFile:] {
		left += len(g.hosts)
	}
	return slices.DeleteFunc(groups, func(g *timelineGroup) bool { return !keep[g] }), left
}

func (t *timeline) row(g *timelineGroup) htmlRow {
	host := g.slowest
	state := stateOf(host)
	row := htmlRow{
		Name: clean(g.hosts[0]), Tone: state.tone().class(), State: stateSymbol(state) + " " + string(state),
		Changes: changesMade(host.Changed, t.planned[host.Host]), Time: elapsed(spent(host)), Bars: t.bars(host),
	}
	if len(g.hosts) > 1 {
		row.Name = count(len(g.hosts), "host")
		if len(row.Bars) > 0 {
			row.Also = "as the slowest, " + clean(host.Host)
		}
		if host.Changed > 0 || t.planned[host.Host] > 0 {
			row.Changes += " each"
		}
		if least := elapsed(g.least); least != row.Time {
			row.Time = least + " – " + row.Time
		}
	}
	texts := make([]string, len(row.Bars))
	for i, bar := range row.Bars {
		texts[i] = bar.Title
	}
	row.Label = clean(host.Host) + ": " + strings.Join(texts, "; ")
	return row
}

// shortestWait is the shortest wait that is shown, as a part of the whole.
const shortestWait = 0.004

func (t *timeline) bars(host converge.HostOutcome) []htmlBar {
	var bars []htmlBar
	last := t.begin
	for i, timing := range host.Stages {
		held := i == len(host.Stages)-1 && isBlocked(host.Err)
		until := timing.Start
		if held {
			until = timing.End
		}
		if t.part(until)-t.part(last) >= shortestWait {
			bars = append(bars, t.waitBar(host.Host, timing.Stage, last, until))
		}
		last = timing.End
		if held {
			break
		}
		bar := t.workBar(host.Host, timing)
		if i == len(host.Stages)-1 && host.Err != nil {
			bar.Class, bar.TextClass, bar.Title = "fail", "failtext", bar.Title+", failed"
			bar.Letter = strings.TrimSpace("✘" + bar.Letter)
		}
		bars = append(bars, bar)
	}
	return bars
}

func (t *timeline) waitBar(host, stage string, from, until time.Time) htmlBar {
	what := "waited"
	if after := t.after[pathKey(host, stage)]; len(after) > 0 {
		what += " for " + clean(strings.Join(after, ", "))
	}
	return htmlBar{Wait: true, X: percent(t.part(from)), End: percent(t.part(until)), Title: what + " " + elapsed(until.Sub(from))}
}

// Narrower boxes have no room for a letter.
const (
	narrowest   = 0.003
	letterWidth = 0.03
)

func (t *timeline) workBar(host string, timing converge.StageTiming) htmlBar {
	from := min(t.part(timing.Start), 1-narrowest)
	width := max(t.part(timing.End)-from, narrowest)
	i := t.letters[timing.Stage]
	bar := htmlBar{
		Path: t.onPath[pathKey(host, timing.Stage)], X: percent(from), Width: percent(width), Middle: percent(from + width/2),
		Class: stageClass(i),
		Title: fmt.Sprintf("%s %s from %s", clean(timing.Stage), elapsed(timing.End.Sub(timing.Start)), elapsed(timing.Start.Sub(t.begin))),
	}
	if bar.Path {
		bar.Title += ", on the critical path"
	}
	if width >= letterWidth {
		bar.Letter = stageLetter(i)
	}
	return bar
}

func (t *timeline) part(at time.Time) float64 {
	return min(max(float64(at.Sub(t.begin))/float64(t.end.Sub(t.begin)), 0), 1)
}

// marks are where the ruler has a time, at most eight.
func (t *timeline) marks() []htmlMark {
	total := t.end.Sub(t.begin)
	step := 100 * time.Millisecond
	for _, factor := range []int64{2, 5, 10, 20, 50, 100, 200, 300, 600, 1200, 3000, 6000, 18000, 36000, 144000, 864000} {
		if total/step <= 8 {
			break
		}
		step = time.Duration(factor) * 100 * time.Millisecond
	}
	var marks []htmlMark
	for i := range 10 {
		at := time.Duration(i) * step
		if part := t.part(t.begin.Add(at)); at < total && part < 0.95 {
			marks = append(marks, htmlMark{percent(part), at.String()})
		}
	}
	return marks
}

func percent(part float64) string { return strconv.FormatFloat(part*100, 'f', 2, 64) + "%" }

func stageClass(i int) string { return "c" + strconv.Itoa(i%6) }

type htmlStage struct {
	Class, Letter, Name, Start, Time string
	Hosts                            int
	Slowest                          string
}

func htmlStages(spans []*stageSpan) []htmlStage {
	stages := make([]htmlStage, len(spans))
	for i, s := range spans {
		stages[i] = htmlStage{
			Class: stageClass(i), Letter: s.letter, Name: clean(s.name), Start: elapsed(s.start.Sub(spans[0].start)),
			Time: elapsed(s.end.Sub(s.start)), Hosts: s.hosts, Slowest: clean(s.slowest) + " " + elapsed(s.longest),
		}
	}
	return stages
}

type htmlPath struct{ Stage, Host, Time, When string }

func htmlPathOf(path []PathStep) []htmlPath {
	steps := make([]htmlPath, len(path))
	for i, step := range path {
		steps[i] = htmlPath{Stage: clean(step.Stage), Host: clean(step.Host), Time: seconds(step.Seconds), When: "from " + seconds(step.Offset)}
		if step.Waited >= 0.05 {
			steps[i].When += ", " + seconds(step.Waited) + " after the one before"
		}
	}
	return steps
}

type htmlStep struct {
	Name, Stage, Longest, Slowest, Mean string
	Hosts                               int
}

func htmlSteps(steps []Step) []htmlStep {
	views := make([]htmlStep, len(steps))
	for i, s := range steps {
		views[i] = htmlStep{
			Name: clean(s.Resource), Stage: clean(s.Stage), Longest: seconds(s.Seconds), Slowest: clean(s.Slowest),
			Mean: seconds(s.Mean), Hosts: s.Hosts,
		}
		if s.Upload {
			views[i].Name = "upload of " + views[i].Name
		}
	}
	return views
}

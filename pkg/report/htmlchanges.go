package report

import (
	"fmt"
	"strings"

	"provision/pkg/converge"
)

type htmlChanges struct {
	Stage   string
	Entries []htmlEntry
}

type htmlEntry struct {
	Symbol, Tone, Action, Resource, Cause, On string
	Details, Hosts                            string
	Diffs                                     []htmlDiff
	Note                                      string
}

type htmlDiff struct {
	Label, On string
	Lines     []htmlLine
}

type htmlLine struct{ Class, Text string }

// What bounds the file, however much is planned.
const (
	entriesInFile   = 1000
	diffLinesInFile = 400
	diffBytesInFile = 2 << 20
)

// changeWriter counts what the file has of the plan so far.
type changeWriter struct {
	entries, bytes, left int
}

// htmlChangesOf are the planned changes by stage, equal ones of several hosts
// once.
func htmlChangesOf(plan *converge.Plan) ([]htmlChanges, string) {
	w := &changeWriter{}
	var changes []htmlChanges
	for _, stage := range groupPlan(plan, true).stages {
		c := htmlChanges{Stage: clean(stage.stage)}
		for _, e := range stage.entries {
			if w.entries == entriesInFile {
				w.left++
				continue
			}
			w.entries++
			c.Entries = append(c.Entries, w.entry(e))
		}
		if len(c.Entries) > 0 {
			changes = append(changes, c)
		}
	}
	if w.left > 0 {
		return changes, fmt.Sprintf("And %d more entries, which the JSON report has.", w.left)
	}
	return changes, ""
}

func (w *changeWriter) entry(e *entry) htmlEntry {
	symbol, tone := actionSymbol(e.change.Action)
	entry := htmlEntry{
		Symbol: symbol, Tone: tone.class(), Action: clean(string(e.change.Action)), Resource: clean(e.change.Resource.String()),
		Cause: clean(string(e.change.Cause)), On: clean(onHosts(e.hosts, e.of)),
	}
	entry.Details = clean(strings.Join(e.details, "; "))
	if entry.Details == entry.Action {
		entry.Details = ""
	}
	const most = 2000
	if len(entry.Details) > most {
		entry.Details = strings.ToValidUTF8(entry.Details[:most], "") + "…"
	}
	if len(e.hosts) > namedHosts {
		entry.Hosts = hostsInFile(e.hosts)
	}
	for i, v := range e.variants {
		if i == shownVariants {
			entry.Note = fmt.Sprintf("And %d more diffs on other hosts, which the JSON report has.", len(e.variants)-i)
			break
		}
		if w.bytes+len(v.diff) > diffBytesInFile {
			entry.Note = "The file has its share of diffs; the JSON report has this one."
			break
		}
		w.bytes += len(v.diff)
		entry.Diffs = append(entry.Diffs, newHTMLDiff(e, v))
	}
	return entry
}

func newHTMLDiff(e *entry, v *variant) htmlDiff {
	diff := htmlDiff{Label: clean("Difference of " + e.change.Resource.String() + " on " + v.hosts[0])}
	switch {
	case v.varies:
		diff.On = "On " + hostsInFile(v.hosts) + ", here as on " + clean(v.hosts[0]) + ": others differ in their name or the lines around."
	case len(e.variants) > 1:
		diff.On = "On " + hostsInFile(v.hosts) + ":"
	}
	lines := diffLines(v.diff)
	for i, line := range lines {
		if i == diffLinesInFile {
			diff.Lines = append(diff.Lines, htmlLine{"at", fmt.Sprintf("… %d more lines", len(lines)-i)})
			break
		}
		class := ""
		switch {
		case strings.HasPrefix(line, "+"):
			class = "add"
		case strings.HasPrefix(line, "-"):
			class = "cut"
		case strings.HasPrefix(line, "@@"):
			class = "at"
		}
		diff.Lines = append(diff.Lines, htmlLine{class, clean(line)})
	}
	return diff
}

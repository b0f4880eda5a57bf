package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"provision/pkg/converge"
)

// HostState is how a run ended on a host, in a word.
type HostState string

// The states.
const (
	// StateOK had nothing to change.
	StateOK HostState = "ok"
	// StateChanged was changed and is as wanted.
	StateChanged HostState = "changed"
	// StateFailed is not as wanted: something failed on it.
	StateFailed HostState = "failed"
	// StateBlocked is not as wanted because other hosts failed.
	StateBlocked HostState = "blocked"
	// StateUnreachable could not be looked at.
	StateUnreachable HostState = "unreachable"
	// StateSkipped is as it was: none of its changes was begun.
	StateSkipped HostState = "skipped"
)

// stateOf reads the state from an outcome: a host with an error that began no
// stage was never looked at.
func stateOf(host converge.HostOutcome) HostState {
	switch {
	case host.Err == nil && host.Changed == 0:
		return StateOK
	case host.Err == nil:
		return StateChanged
	case errors.Is(host.Err, errSkipped):
		return StateSkipped
	case isBlocked(host.Err):
		return StateBlocked
	case len(host.Stages) == 0:
		return StateUnreachable
	}
	return StateFailed
}

func (s HostState) tone() tone {
	switch s {
	case StateFailed, StateUnreachable:
		return toneBad
	case StateBlocked, StateSkipped:
		return toneWarn
	case StateOK, StateChanged:
	}
	return toneGood
}

// stagesRun are the stages that ran on a host: not the last one of a host that
// was held up by others, which only waited.
func stagesRun(host converge.HostOutcome) []converge.StageTiming {
	if n := len(host.Stages); n > 0 && isBlocked(host.Err) {
		return host.Stages[:n-1]
	}
	return host.Stages
}

// spent is the time from the host's first stage to its last.
func spent(host converge.HostOutcome) time.Duration {
	if len(host.Stages) == 0 {
		return 0
	}
	return host.Stages[len(host.Stages)-1].End.Sub(host.Stages[0].Start)
}

// outcomeRow is a line of the table: one host, or many that ended well.
type outcomeRow struct {
	hosts   []string
	state   HostState
	changed int
	// planned changes, which are more where the run did not come to its end.
	planned int
	least   time.Duration
	most    time.Duration
}

// rowsUpTo is the number of hosts up to which each has a row of its own.
const rowsUpTo = 24

// WriteOutcome writes how a run ended: a table of the hosts, then what failed,
// in full and one cause on several hosts once, then who was held up by it.
func WriteOutcome(w io.Writer, account *Account, style Style) {
	outcome := account.Settled()
	p := newPage(w, style)
	writeOutcomeTable(p, outcomeRows(outcome, account.plannedChanges()))
	writeOutcomeSummary(p, outcome)
	var failed, unreachable []problem
	for _, host := range outcome.Hosts {
		switch stateOf(host) {
		case StateFailed:
			failed = append(failed, problemsOf(host.Host, host.Err)...)
		case StateUnreachable:
			unreachable = append(unreachable, problemsOf(host.Host, host.Err)...)
		case StateOK, StateChanged, StateBlocked, StateSkipped:
		}
	}
	writeProblems(p, "failed", failed)
	writeProblems(p, "unreachable", unreachable)
	writeBlocked(p, outcome)
	p.flush()
}

// outcomeRows joins, where there are many hosts, those with the same end.
func outcomeRows(outcome *converge.Outcome, planned map[string]int) []*outcomeRow {
	many := len(outcome.Hosts) > rowsUpTo
	var rows []*outcomeRow
	byKey := map[string]*outcomeRow{}
	for _, host := range outcome.Hosts {
		state, took := stateOf(host), spent(host)
		left := max(planned[host.Host], host.Changed)
		key := fmt.Sprint(state, host.Changed, " ", left)
		row := byKey[key]
		if row == nil || !many {
			row = &outcomeRow{state: state, changed: host.Changed, planned: left, least: took, most: took}
			byKey[key] = row
			rows = append(rows, row)
		}
		row.hosts = append(row.hosts, host.Host)
		row.least, row.most = min(row.least, took), max(row.most, took)
	}
	return rows
}

func writeOutcomeTable(p *page, rows []*outcomeRow) {
	names, changes := make([]string, len(rows)), make([]string, len(rows))
	width, changesWidth := len("host"), 9
	for i, row := range rows {
		names[i], changes[i] = clean(row.hosts[0]), changesMade(row.changed, row.planned)
		if len(row.hosts) > 1 {
			names[i] = count(len(row.hosts), "host")
			if row.planned > 0 {
				changes[i] += " each"
			}
		}
		width, changesWidth = max(width, columns(names[i])), max(changesWidth, len(changes[i]))
	}
	p.line(0, 2, span{fmt.Sprintf("%s  %-11s %*s %13s", pad("host", width), "state", changesWidth, "changes", "time"), toneDim})
	for i, row := range rows {
		took := elapsed(row.most)
		if least := elapsed(row.least); least != took {
			took = least + " - " + took
		}
		p.line(0, 2, span{pad(names[i], width) + "  ", tonePlain}, span{fmt.Sprintf("%-11s ", row.state), row.state.tone()},
			span{fmt.Sprintf("%*s %13s", changesWidth, changes[i], took), tonePlain})
	}
}

func writeOutcomeSummary(p *page, outcome *converge.Outcome) {
	s := summarize(outcome)
	var words []string
	for _, part := range []struct {
		n     int
		state HostState
	}{{s.Changed, StateChanged}, {s.OK, StateOK}, {s.Failed, StateFailed}, {s.Blocked, StateBlocked}, {s.Unreachable, StateUnreachable}, {s.Skipped, StateSkipped}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.state))
		}
	}
	p.line(0, 2, span{fmt.Sprintf("%s: %s; %s in %s", count(s.Hosts, "host"), strings.Join(words, ", "),
		count(s.Changes, "change"), seconds(s.Seconds)), toneBold})
}

// changesMade says how many of the planned changes were made.
func changesMade(made, planned int) string {
	if made >= planned {
		return strconv.Itoa(made)
	}
	return fmt.Sprintf("%d of %d", made, planned)
}

func writeProblems(p *page, title string, problems []problem) {
	if len(problems) == 0 {
		return
	}
	p.blank()
	p.line(0, 2, span{title, toneBad})
	for _, g := range groupProblems(problems) {
		g.write(p, 2)
	}
}

// blockade is hosts that one stage held up.
type blockade struct {
	hosts []string
	by    string
}

// blockades lists the hosts that others held up, by the stage they need.
func blockades(outcome *converge.Outcome) []*blockade {
	var blockades []*blockade
	byText := map[string]*blockade{}
	for _, host := range outcome.Hosts {
		var blocked *converge.BlockedError
		if !errors.As(host.Err, &blocked) {
			continue
		}
		text := fmt.Sprintf("waited for stage %s, which failed on %s", blocked.Stage, hostNames(blocked.Hosts))
		switch {
		case errors.As(host.Err, new(*converge.HaltedError)):
			text = fmt.Sprintf("not touched: stage %s restarts what runs, and failed on %s", blocked.Stage, hostNames(blocked.Hosts))
		case errors.As(host.Err, new(*converge.StoppedError)):
			text = "not begun: as many as may have failed: " + hostNames(blocked.Hosts)
		}
		b := byText[text]
		if b == nil {
			b = &blockade{by: text}
			byText[text] = b
			blockades = append(blockades, b)
		}
		b.hosts = append(b.hosts, host.Host)
	}
	return blockades
}

// writeBlocked names the hosts that others held up.
func writeBlocked(p *page, outcome *converge.Outcome) {
	all := blockades(outcome)
	if len(all) == 0 {
		return
	}
	p.blank()
	p.line(0, 2, span{"blocked", toneWarn})
	for _, b := range all {
		p.line(2, 6, span{hostNames(b.hosts), toneBold}, span{": " + b.by, tonePlain})
	}
}

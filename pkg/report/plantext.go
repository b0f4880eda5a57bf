package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"provision/pkg/converge"
)

// PlanOptions are what WritePlan can be asked for.
type PlanOptions struct {
	// Verbose lists every new thing, every host and every diff.
	Verbose bool
}

// WritePlan writes a plan for people: what is new, then what differs by stage,
// equal changes of several hosts once, and a line that sums it up.
func WritePlan(w io.Writer, plan *converge.Plan, style Style, options PlanOptions) {
	p := newPage(w, style)
	groups := groupPlan(plan, options.Verbose)
	for _, b := range groups.bundles {
		writeBundle(p, b)
	}
	if len(groups.bundles) > 0 {
		p.blank()
	}
	for _, stage := range groups.stages {
		p.line(0, 2, span{"stage " + stage.stage, toneBold})
		for _, e := range stage.entries {
			writeEntry(p, e, options)
		}
		p.blank()
	}
	writeRestarts(p, groups)
	writeLogins(p, plan)
	writeUnreachable(p, plan)
	writeSummary(p, plan, len(groups.bundles) > 0)
	p.flush()
}

// sinceWords tell when the one host of an entry was changed behind provision's
// back.
func (e *entry) sinceWords() []string {
	if e.change.Since == nil || len(e.hosts) > 1 {
		return nil
	}
	return []string{"changed there at " + e.change.Since.UTC().Format("2006-01-02 15:04:05 UTC")}
}

// writeRestarts lists the running services that are disturbed, in the order in
// which that happens, and what it costs. Hosts with the same one take turns.
func writeRestarts(p *page, groups planGroups) {
	first := true
	for _, stage := range groups.stages {
		for _, e := range stage.entries {
			if !e.change.Disturbing() {
				continue
			}
			if first {
				p.line(0, 2, span{"Running services are disturbed, in this order:", toneBold})
				first = false
			}
			text := string(e.change.Action) + " " + e.change.Resource.Name + " " + onHosts(e.hosts, e.of)
			if len(e.hosts) > 1 {
				text += ", in turns"
			}
			if e.change.Disturbs != "" {
				text += ": " + e.change.Disturbs
			}
			p.line(2, 4, span{text, tonePlain})
		}
	}
	if !first {
		p.blank()
	}
}

// loginHosts is of how many drifted hosts the last logins are shown: who has
// changed more than a few has not done it by hand.
const loginHosts = 3

// writeLogins tells who was on the hosts that were changed.
func writeLogins(p *page, plan *converge.Plan) {
	var hosts []converge.HostPlan
	for _, host := range plan.Hosts {
		if len(host.Logins) > 0 {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 || len(hosts) > loginHosts {
		return
	}
	for _, host := range hosts {
		for _, login := range host.Logins {
			p.line(0, 4, span{"last login on " + host.Host + ": " + login, toneDim})
		}
	}
	p.blank()
}

func writeBundle(p *page, b *bundle) {
	counts := b.counts
	if len(b.hosts) > 1 {
		counts += " each"
	}
	p.line(0, 4, span{"+ ", toneGood}, span{"stage " + b.stage, toneBold},
		span{" " + onHosts(b.hosts, b.of) + ": " + counts, tonePlain})
	if len(b.hosts) > namedHosts && len(b.hosts) < b.of {
		p.line(4, 4, span{someHosts(b.hosts, false), toneDim})
	}
}

func writeEntry(p *page, e *entry, options PlanOptions) {
	symbol, tone := actionSymbol(e.change.Action)
	head := []span{
		{symbol + " ", tone},
		{fmt.Sprintf("%-6s ", e.change.Cause), causeTone(e.change.Cause)},
		{e.change.Resource.String(), toneBold},
		{" " + onHosts(e.hosts, e.of), tonePlain},
	}
	detail := strings.Join(append(slices.Clone(e.details), e.sinceWords()...), "; ")
	inline := append(head, span{": " + detail, tonePlain})
	switch {
	case detail == "":
		p.line(2, 6, head...)
	case p.fits(2, inline...):
		p.line(2, 6, inline...)
	default:
		p.line(2, 6, head...)
		p.line(6, 8, span{detail, tonePlain})
	}
	if len(e.hosts) > namedHosts && len(e.hosts) < e.of {
		p.line(6, 6, span{someHosts(e.hosts, options.Verbose), toneDim})
	}
	writeVariants(p, e, options)
}

// shownVariants is how many different diffs of one change are shown.
const shownVariants = 3

func writeVariants(p *page, e *entry, options PlanOptions) {
	for i, v := range e.variants {
		if i == shownVariants && !options.Verbose {
			rest := 0
			for _, v := range e.variants[i:] {
				rest += len(v.hosts)
			}
			p.line(6, 6, span{fmt.Sprintf("and %s with a diff of their own; -v shows all", count(rest, "more host")), toneDim})
			return
		}
		if len(e.variants) > 1 {
			p.line(6, 6, span{"on " + someHosts(v.hosts, options.Verbose) + ":", toneDim})
		}
		writeDiff(p, v.diff)
		if v.varies {
			p.line(6, 6, span{"(as on " + v.hosts[0] + ": others differ in their name or the lines around)", toneDim})
		}
	}
}

func writeDiff(p *page, diff string) {
	for _, line := range diffLines(diff) {
		tone := tonePlain
		switch {
		case strings.HasPrefix(line, "+"):
			tone = toneGood
		case strings.HasPrefix(line, "-"):
			tone = toneBad
		case strings.HasPrefix(line, "@@"):
			tone = toneNote
		}
		p.verbatim(6, span{line, tone})
	}
}

// shownHosts is how many hosts, or ranges of them, are named below an entry.
const shownHosts = 20

// someHosts names hosts, all of them when verbose.
func someHosts(hosts []string, verbose bool) string {
	parts := strings.Split(hostNames(hosts), ", ")
	if verbose || len(parts) <= shownHosts {
		return strings.Join(parts, ", ")
	}
	return strings.Join(parts[:shownHosts], ", ") + " and others; -v names all"
}

func actionSymbol(action converge.Action) (string, tone) {
	switch action {
	case converge.ActionCreate:
		return "+", toneGood
	case converge.ActionStart:
		return "▸", toneGood
	case converge.ActionRestart:
		return "↻", toneWarn
	case converge.ActionStop, converge.ActionRemove:
		return "-", toneBad
	case converge.ActionRun:
		return "!", toneNote
	case converge.ActionAdopt:
		return "=", toneNote
	case converge.ActionUpdate, converge.ActionConfigure, converge.ActionRestore:
	}
	return "~", toneWarn
}

// causeTone makes stand out what happened behind the inventory's back.
func causeTone(cause converge.Cause) tone {
	if cause == converge.CauseDrift || cause == converge.CauseBoth {
		return toneWarn
	}
	return tonePlain
}

func writeUnreachable(p *page, plan *converge.Plan) {
	var problems []problem
	for _, host := range plan.Hosts {
		if host.Err != nil {
			problems = append(problems, problemsOf(host.Host, host.Err)...)
		}
	}
	if len(problems) == 0 {
		return
	}
	p.line(0, 2, span{"unreachable", toneBad})
	for _, g := range groupProblems(problems) {
		g.write(p, 2)
	}
	p.blank()
}

func writeSummary(p *page, plan *converge.Plan, bundled bool) {
	s := plan.Summary()
	seen := s.Hosts - s.Unreachable
	var text string
	switch {
	case s.Changes > 0:
		text = fmt.Sprintf("Plan: %s, %s (%s)", count(s.Hosts, "host"), count(s.Changes, "change"), causeWords(plan))
		if s.Restarts > 0 {
			text += ", " + count(s.Restarts, "restart")
		}
	case s.Unreachable > 0:
		text = "No changes on " + count(seen, "host")
	case seen == 1:
		text = "No changes: 1 host is as the inventory wants it."
	default:
		text = fmt.Sprintf("No changes: %d hosts are as the inventory wants them.", seen)
	}
	spans := []span{{text, toneBold}}
	if s.Unreachable > 0 {
		spans = append(spans, span{"; " + count(s.Unreachable, "host") + " unreachable", toneBad})
	}
	if bundled {
		spans = append(spans, span{"; -v lists everything", toneDim})
	}
	p.line(0, 2, spans...)
}

func causeWords(plan *converge.Plan) string {
	counts := countCauses(plan)
	var words []string
	for _, cause := range []struct {
		n     int
		cause converge.Cause
	}{
		{counts.New, converge.CauseNew},
		{counts.Drift, converge.CauseDrift},
		{counts.Change, converge.CauseChange},
		{counts.Both, converge.CauseBoth},
		{counts.Renewal, converge.CauseRenewal},
		{counts.Orphan, converge.CauseOrphan},
		{counts.Rollback, converge.CauseRollback},
		{counts.Adopted, converge.CauseAdopted},
		{counts.Follows, converge.CauseFollows},
	} {
		if cause.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", cause.n, cause.cause))
		}
	}
	return strings.Join(words, ", ")
}

package report

import (
	"fmt"
	"strings"

	"provision/pkg/converge"
)

type htmlFailure struct {
	Title, Headline string
	More            []string
	Output          []string
	Hints           []string
	Note            string
}

type htmlCheck struct {
	Tone, Result, Name, Hosts, Time string
	Found                           []string
	Hint                            string
}

// What bounds the file, however much goes wrong.
const (
	failuresInFile = 200
	outputInFile   = 200
	checksInFile   = 300
)

// htmlFailures are what ended the run and what failed on hosts, one cause on
// several hosts once, then who was held up by it.
func htmlFailures(account *Account, outcome *converge.Outcome) []htmlFailure {
	var problems []problem
	if account.Err != nil {
		problems = append(problems, problemsOf("", account.Err)...)
	}
	for _, host := range outcome.Hosts {
		switch stateOf(host) {
		case StateFailed, StateUnreachable:
			problems = append(problems, problemsOf(host.Host, host.Err)...)
		case StateOK, StateChanged, StateBlocked, StateSkipped:
		}
	}
	groups := groupProblems(problems)
	var failures []htmlFailure
	for i, g := range groups {
		if i == failuresInFile {
			failures = append(failures, htmlFailure{Title: fmt.Sprintf("and %d more", len(groups)-i), Headline: "The terminal and the JSON report have all of them."})
			break
		}
		failures = append(failures, newHTMLFailure(g))
	}
	for _, b := range blockades(outcome) {
		failures = append(failures, htmlFailure{Title: "Blocked: " + hostsInFile(b.hosts), Headline: clean(b.by)})
	}
	if skipped := hostsIn(outcome, StateSkipped); len(skipped) > 0 {
		failures = append(failures, htmlFailure{Title: "Skipped: " + hostsInFile(skipped), Headline: "changes were planned, and none of them was begun"})
	}
	return failures
}

func newHTMLFailure(g *problemGroup) htmlFailure {
	failure := htmlFailure{Title: hostsInFile(g.hosts), Headline: clean(g.headline), More: cleanLines(g.more), Output: cleanLines(g.output)}
	if len(g.hosts) == 0 {
		failure.Title = "The run"
	}
	if len(g.hosts) > namedHosts {
		failure.Title = count(len(g.hosts), "host") + ": " + failure.Title
	}
	if g.hint != "" {
		failure.Hints = cleanLines(strings.Split(g.hint, "\n"))
	}
	if g.varies {
		failure.Note = "In the words of " + clean(g.host) + "; the others differ in names, addresses and times."
	}
	return failure
}

// cleanLines cleans lines; of very many it keeps the last ones.
func cleanLines(lines []string) []string {
	var cleaned []string
	if n := len(lines) - outputInFile; n > 0 {
		cleaned, lines = []string{fmt.Sprintf("… %d lines before", n)}, lines[n:]
	}
	for _, line := range lines {
		const most = 4096
		if len(line) > most {
			line = line[:most] + "…"
		}
		cleaned = append(cleaned, clean(line))
	}
	return cleaned
}

func hostsIn(outcome *converge.Outcome, state HostState) []string {
	var hosts []string
	for _, host := range outcome.Hosts {
		if stateOf(host) == state {
			hosts = append(hosts, host.Host)
		}
	}
	return hosts
}

func htmlChecksOf(checks []Check) (htmlText, []htmlCheck) {
	failed := countFailed(checks)
	verdict := htmlText{"good", "✔ " + count(len(checks), "check") + " ok"}
	switch {
	case len(checks) == 0:
		verdict = htmlText{"dim", "The cluster was not verified in this run."}
	case failed > 0:
		verdict = htmlText{"bad", fmt.Sprintf("✘ %d of %s failed", failed, count(len(checks), "check"))}
	}
	var rows, passed []htmlCheck
	for _, g := range groupChecks(checks) {
		row := htmlCheck{Tone: "good", Result: "✔ ok", Name: clean(g.Name), Hosts: hostsInFile(g.hosts), Time: seconds(g.Seconds)}
		for i, detail := range g.details {
			if g.OK && i == shownDetails {
				row.Found = append(row.Found, fmt.Sprintf("and %d more", len(g.details)-i))
				break
			}
			row.Found = append(row.Found, cleanLines(strings.Split(strings.TrimRight(detail, "\n"), "\n"))...)
		}
		if g.OK {
			passed = append(passed, row)
			continue
		}
		row.Tone, row.Result, row.Hint = "bad", "✘ failed", clean(g.Hint)
		rows = append(rows, row)
	}
	rows = append(rows, passed...)
	return verdict, rows[:min(len(rows), checksInFile)]
}

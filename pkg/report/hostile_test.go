package report

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"provision/pkg/converge"
	"provision/pkg/remote"
	"provision/pkg/resource"
)

const evil = "\x1b]0;owned\a\x1b[2J\u009b31m\u202e\r\b\x00\xff\u2028"

// hostile is a plan and an outcome whose every text tries to drive the terminal.
func hostile() (*converge.Plan, *converge.Outcome) {
	bad := func(text string) string { return text + evil }
	c := change(converge.ActionUpdate, converge.Cause(bad("drift")), bad("file"), bad("/x"), resource.Difference{Name: bad("mode"), Have: bad("a"), Want: bad("b")})
	c.Diff = "--- a\n+++ b\n@@ -1 +1 @@" + evil + "\n-" + evil + "\n+" + evil + "\n"
	s := change(converge.ActionRestart, converge.CauseDrift, "service", bad("x"), resource.Difference{Name: "inputs", Have: bad("a"), Want: bad("b")})
	s.Uses = []resource.ID{{Kind: bad("file"), Name: bad("/x")}}
	failure := fmt.Errorf("stage %s: %w", evil, &remote.CommandError{Host: bad("a"), Command: evil, Status: 1, Stderr: evil + "\n" + evil, Hint: evil})
	plan := &converge.Plan{Hosts: []converge.HostPlan{
		{Host: bad("a"), Stages: []converge.StagePlan{stage(bad("s"), []string{evil}, c, s)}},
		{Host: bad("b"), Err: errors.New(evil + "\n" + evil)},
	}}
	for i := range 30 {
		plan.Hosts[0].Stages[0].Changes = append(plan.Hosts[0].Stages[0].Changes, created(bad("file"), bad(fmt.Sprint(i))))
	}
	outcome := &converge.Outcome{Hosts: []converge.HostOutcome{
		{Host: bad("a"), Stages: timings(bad("s"), 0, 1), Err: failure},
		{Host: bad("b"), Err: errors.New(evil)},
		{Host: bad("c"), Stages: timings(bad("s"), 0, 1), Err: &converge.BlockedError{Stage: evil, Hosts: []string{evil}}},
	}}
	return plan, outcome
}

var colourPattern = regexp.MustCompile(`\x1b\[[0-9]+m`)

func TestHostileTextStaysText(t *testing.T) {
	plan, outcome := hostile()
	checks := []Check{{Name: evil, Host: evil, Detail: evil + "\n" + evil, Hint: evil}, {Name: evil, Host: evil, Detail: evil, OK: true}}
	for name, write := range map[string]func(io.Writer, Style){
		"plan":    func(w io.Writer, s Style) { WritePlan(w, plan, s, PlanOptions{}) },
		"verbose": func(w io.Writer, s Style) { WritePlan(w, plan, s, PlanOptions{Verbose: true}) },
		"outcome": func(w io.Writer, s Style) { WriteOutcome(w, &Account{Applied: outcome}, s) },
		"timings": func(w io.Writer, s Style) { WriteTimings(w, outcome, s) },
		"checks":  func(w io.Writer, s Style) { WriteChecks(w, checks, s) },
		"errors":  func(w io.Writer, s Style) { Errors(w, outcome.Err(), s) },
		"plan.json": func(w io.Writer, _ Style) {
			text, _ := PlanJSON(plan)
			_, _ = w.Write(text)
		},
		"run.json": func(w io.Writer, _ Style) {
			text, _ := RunJSON(&Account{Cluster: evil, Run: converge.Run{ID: evil}, Plan: plan, Applied: outcome, Checks: checks, Err: errors.New(evil)})
			_, _ = w.Write(text)
		},
		"progress": func(w io.Writer, _ Style) {
			p := NewProgress(w, Style{}, plan)
			p.Event(converge.Event{Kind: converge.EventStageDone, Host: evil, Stage: evil})
			p.Event(converge.Event{Kind: converge.EventStageFailed, Host: evil, Stage: evil, Err: outcome.Hosts[0].Err})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, style := range []Style{{}, {Width: 80}, {Width: 40, Colour: true}} {
				out := text(style, write)
				if out == "" {
					t.Fatal("nothing was written")
				}
				if style.Colour {
					out = colourPattern.ReplaceAllString(out, "")
				}
				for line := range strings.SplitSeq(out, "\n") {
					if clean(line) != line {
						t.Errorf("%+v: %q", style, line)
					}
				}
			}
		})
	}
}

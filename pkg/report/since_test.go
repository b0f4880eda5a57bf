package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

// drifted is a plan in which hosts were edited by hand.
func drifted(hosts ...string) *converge.Plan {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	plan := &converge.Plan{}
	for _, name := range hosts {
		plan.Hosts = append(plan.Hosts, converge.HostPlan{
			Host: name, Logins: []string{"alice\x1b pts/0 10.0.0.9"},
			Stages: []converge.StagePlan{{Name: "node", Changes: []converge.Change{{
				Resource: resource.ID{Kind: "file", Name: "/etc/x"}, Action: converge.ActionUpdate, Cause: converge.CauseDrift, Since: &at,
			}}}},
		})
	}
	return plan
}

func TestWritePlan_TellsWhenAndWhoOfAFewHosts(t *testing.T) {
	t.Parallel()
	for hosts, want := range map[string][]string{
		"a":       {"changed there at 2026-11-24 03:00:00 UTC", "last login on a: alice"},
		"a b":     {"last login on a: alice", "last login on b: alice"},
		"a b c d": nil,
	} {
		var out bytes.Buffer
		WritePlan(&out, drifted(strings.Fields(hosts)...), Style{}, PlanOptions{})
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %q in\n%s", hosts, text, &out)
			}
		}
		if want == nil && strings.Contains(out.String(), "last login") || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s:\n%q", hosts, out.String())
		}
	}
}

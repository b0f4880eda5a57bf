package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"provision/pkg/converge"
	"provision/pkg/remote"
)

func writeErrors(err error) string {
	return text(Style{}, func(w io.Writer, s Style) { Errors(w, err, s) })
}

func TestErrors_OneLineForOneError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("no inventory"), "error: no inventory\n"},
		{errors.New("f.yaml:3:5: master: unknown key"), "f.yaml:3:5: master: unknown key\n"},
		{fmt.Errorf("a %w and b %w", errors.New("x"), errors.New("y")), "error: a x and b y\n"},
		{multierror.Append(nil, errors.New("x failed")), "error: x failed\n"},
		{fmt.Errorf("apply: %w", errors.Join(errors.New("a b: x"), errors.New("c d: y"))), "error: apply: a b: x\nerror: apply: c d: y\n"},
	} {
		if got := writeErrors(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrors_OneCauseOnSeveralHostsIsOneEntry(t *testing.T) {
	var errs *multierror.Error
	for i, name := range slaves(1000) {
		errs = multierror.Append(errs, fmt.Errorf("%s: %w", name, commandError(name, 1000+i)))
	}
	got := writeErrors(errs)
	if strings.Count(got, "unknown flag") != 1 || !strings.HasPrefix(got, "error: slave1..slave1000\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestErrors_DifferentCausesStayApart(t *testing.T) {
	a := &remote.CommandError{Host: "a", Command: "apply node", Status: 1, Stderr: "disk full"}
	b := &remote.CommandError{Host: "b", Command: "apply node", Status: 2, Stderr: "disk full"}
	if got := writeErrors(errors.Join(a, b)); strings.Count(got, "error:") != 2 {
		t.Errorf("got\n%s", got)
	}
}

func TestErrors_TimesAndProcessesAreNoCause(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Nov 24 09:00:02 HOST kubelet[12]: x", "Nov  4 10:59:02 HOST kubelet[2]: x", true},
		{"E1124 09:00:02.000001    4242 server.go:300] x", "E1124 09:00:03.100001      17 server.go:300] x", true},
		{"time=2026-11-24T09:00:00.1Z took 3.2s, Main PID: 12", "time=2026-11-24T09:00:01.25Z took 14ms, Main PID: 3", true},
		{"listen tcp 10.0.0.1:10250: in use", "listen tcp 10.0.0.2:10250: in use", true},
		{"port 10250 is in use", "port 10256 is in use", false},
	} {
		text := func(host, output string) error {
			return &remote.CommandError{Host: host, Command: "apply node", Status: 1, Stderr: strings.ReplaceAll(output, "HOST", host)}
		}
		got := writeErrors(errors.Join(text("slave1", c.a), text("slave20", c.b)))
		if same := strings.Count(got, "error:") == 1; same != c.same {
			t.Errorf("%q and %q: one cause %v, want %v\n%s", c.a, c.b, same, c.same, got)
		}
	}
}

func TestErrors_KeepsAllOfACommandError(t *testing.T) {
	err := &remote.CommandError{Host: "a", Command: "apply node", Signal: "KILL", Stdout: "one\ntwo", Hint: "try\n  again"}
	want := "error: a: stage x: command `apply node` was killed by signal KILL\n    one\n    two\n    try\n    again\n"
	if got := writeErrors(fmt.Errorf("stage x: %w", err)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWriteOutcome_ManyHostsAreFewLines(t *testing.T) {
	for _, n := range []int{200, 1000} {
		out := text(Style{Width: 80}, func(w io.Writer, s Style) { WriteOutcome(w, &Account{Applied: ended(slaves(n))}, s) })
		timings := text(Style{Width: 80}, func(w io.Writer, s Style) { WriteTimings(w, ended(slaves(n)), s) })
		if lines := strings.Count(out, "\n"); lines >= 100 {
			t.Errorf("outcome of %d hosts has %d lines", n, lines)
		}
		if lines := strings.Count(timings, "\n"); lines >= 50 {
			t.Errorf("timings of %d hosts have %d lines", n, lines)
		}
	}
}

func TestStateOf_TellsRootCauseFromBlocked(t *testing.T) {
	blocked := fmt.Errorf("stage x: %w", &converge.BlockedError{Stage: "y", Hosts: []string{"m"}})
	stages := timings("x", 0, 1)
	for _, c := range []struct {
		host converge.HostOutcome
		want HostState
	}{
		{converge.HostOutcome{}, StateOK},
		{converge.HostOutcome{Changed: 1, Stages: stages}, StateChanged},
		{converge.HostOutcome{Err: errors.New("x"), Stages: stages}, StateFailed},
		{converge.HostOutcome{Err: blocked, Stages: stages}, StateBlocked},
		{converge.HostOutcome{Err: errors.New("x")}, StateUnreachable},
	} {
		if got := stateOf(c.host); got != c.want {
			t.Errorf("%+v: %s, want %s", c.host, got, c.want)
		}
	}
}

func TestWriteTimings_NothingRanIsNothing(t *testing.T) {
	if got := text(Style{}, func(w io.Writer, s Style) { WriteTimings(w, &converge.Outcome{}, s) }); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestWriteChecks_WithoutChecks(t *testing.T) {
	if got := text(Style{}, func(w io.Writer, s Style) { WriteChecks(w, nil, s) }); got != "nothing was checked\n" {
		t.Errorf("got %q", got)
	}
	if Checks(nil).OK {
		t.Error("no checks count as verified")
	}
}

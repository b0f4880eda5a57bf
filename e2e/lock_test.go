//go:build lab

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain for %s: %s", within, what)
		}
	}
}

// hold keeps a service from starting until it is released, at the latest at the
// test's end: a run that starts it stays where it is.
func (s *site) hold(t *testing.T, host, unit string) (release func()) {
	t.Helper()
	dropIn := "/run/systemd/system/" + unit + ".service.d"
	s.on(t, host, "sh", "-c", `
		touch /run/hold
		mkdir -p "$1"
		printf '[Service]\nExecStartPre=/bin/sh -c "while [ -e /run/hold ]; do sleep 0.2; done"\n' >"$1/hold.conf"
		systemctl daemon-reload`, "sh", dropIn)
	release = func() { s.sh(t, host, "rm -f /run/hold") }
	t.Cleanup(func() {
		release()
		s.on(t, host, "sh", "-c", `rm -rf "$1" && systemctl daemon-reload`, "sh", dropIn)
	})
	return release
}

// operation is a provision at work.
type operation struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	ended          chan struct{}
}

// begin starts a run that stays in the middle of its changes on the master: a
// program is uploaded, a file is written, and a service does not come up. slave1
// has changes too, which wait for the master.
func (s *site) begin(t *testing.T, login string) (run *operation, release func()) {
	t.Helper()
	s.rewrite(t, []string{"slave1", "slave2"}, "  scheduler: {extraArgs: {v: 1}}\n")
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\nssh: {"), []byte("\nssh: {user: "+login+", "), 1)
	if err := os.WriteFile(s.inventory, text, 0o600); err != nil {
		t.Fatal(err)
	}
	release = s.hold(t, "master", "kube-scheduler")
	s.sh(t, "master", "rm -rf /usr/local/bin/etcdutl /var/tmp/provision-*") // a killed run leaves uploads
	s.sh(t, "slave1", "systemctl stop kube-proxy")
	run = &operation{Cmd: exec.Command(s.binary, "apply", "--yes", "--skip-verify", "-i", s.inventory), ended: make(chan struct{})}
	run.Stdout, run.Stderr = &run.stdout, &run.stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(run.ended)
		_ = run.Wait()
	}()
	t.Cleanup(func() {
		_ = run.Process.Kill()
		<-run.ended
	})
	eventually(t, time.Minute, "the run restarts the service", func() bool {
		select {
		case <-run.ended:
			t.Fatalf("the run ended:\n%s%s", &run.stdout, &run.stderr)
		default:
		}
		return s.sh(t, "master", "systemctl is-active kube-scheduler || true") == "activating\n"
	})
	for host, want := range map[string]string{"master": "script, locked", "slave1": "locked", "slave2": ""} {
		if got := s.atWork(t, host); got != want {
			t.Fatalf("%s: %q, want %q: this test proves nothing", host, got, want)
		}
	}
	return run, release
}

// atWork tells in words what of a run is on a host.
func (s *site) atWork(t *testing.T, host string) string {
	t.Helper()
	return strings.TrimSpace(strings.ReplaceAll(s.sh(t, host, `
		scripts=$(pgrep -fc '[B]rings resources about' || true)
		[ "$scripts" = 0 ] || echo script,
		guards=$(pgrep -fc '[H]olds a host.s lock' || true)
		[ ! -e /run/provision/lock ] || flock -n /run/provision/lock true || guards=1
		[ "$guards" = 0 ] || echo locked
	`), "\n", " "))
}

// free tells whether nothing of a run is on any host.
func (s *site) free(t *testing.T) bool {
	t.Helper()
	for _, host := range allHosts {
		if s.atWork(t, host) != "" {
			return false
		}
	}
	return true
}

// uploads are the directories on the master with what runs have uploaded.
func (s *site) uploads(t *testing.T) string {
	t.Helper()
	return s.sh(t, "master", "ls -d /var/tmp/provision-* 2>/dev/null || true")
}

// mustConverge checks that the next run does what an earlier one did not.
func (s *site) mustConverge(t *testing.T) {
	t.Helper()
	s.must(t, 0, "apply", "--skip-verify")
	if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	if args := s.sh(t, "master", `tr '\0' ' ' </proc/$(pidof kube-scheduler)/cmdline`); !strings.Contains(args, "--v=1") {
		t.Errorf("kube-scheduler runs as %s", args)
	}
}

func TestLock_SecondOperatorIsToldWhoIsAtWorkAndTouchesNothing(t *testing.T) {
	s := cluster(t)
	run, release := s.begin(t, "root")
	records := func() string {
		var all strings.Builder
		for _, host := range allHosts {
			all.WriteString(s.sh(t, host, "cat /var/lib/provision/record.json"))
		}
		return all.String()
	}
	before := records()
	second := s.must(t, 1, "apply", "--skip-verify")
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := `error: nothing was changed: master is being changed by another run \(by ` + regexp.QuoteMeta(account.Username+"@"+machine) +
		`, from [0-9.]+, since [0-9-]+ [0-9:]+ UTC, run [0-9A-Z]+T[0-9]+Z-[A-Z0-9]+\): wait for its end`
	if text := strings.Join(strings.Fields(second.stderr), " "); !regexp.MustCompile(want).MatchString(text) {
		t.Errorf("the second operator is told\n%s", second.stderr)
	}
	if records() != before {
		t.Error("the second run changed a host")
	}
	release()
	<-run.ended
	if code := run.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the first run ended with %d:\n%s%s", code, &run.stdout, &run.stderr)
	}
	if !s.free(t) {
		t.Error("a run that has ended left a lock")
	}
	if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
		t.Error(diff)
	}
}

// Nothing of a run that is killed works on at the hosts, and nothing has to be
// cleared away before the next one, whoever logs in.
func TestKilledRun_EndsOnTheHostsAndTheNextOneConverges(t *testing.T) {
	s := cluster(t)
	for _, login := range []string{"root", "ops"} {
		t.Run(login, func(t *testing.T) {
			run, release := s.begin(t, login)
			if err := run.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-run.ended
			eventually(t, 45*time.Second, "no script and no lock is left", func() bool { return s.free(t) })
			release()
			s.mustConverge(t)
		})
	}
}

// The same, where the hosts see neither an end nor a sign of life: the machine
// of the operator is frozen. When it wakes up, it does no more harm.
func TestLock_FrozenOperatorLosesIt(t *testing.T) {
	s := cluster(t)
	run, release := s.begin(t, "root")
	if err := run.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "no script and no lock is left", func() bool { return s.free(t) })
	release()
	s.mustConverge(t)
	before := s.started(t, allHosts...)
	if err := run.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-run.ended
	if code := run.ProcessState.ExitCode(); code != 3 || !strings.Contains(run.stdout.String()+run.stderr.String(), "lock") {
		t.Errorf("it ended with %d:\n%s%s", code, &run.stdout, &run.stderr)
	}
	if units := restarted(before, s.started(t, allHosts...)); len(units) > 0 {
		t.Errorf("it went on and started %v", units)
	}
}

// Interrupted while it changes hosts, provision ends with 130 when all that it
// had running there has ended, and the next run finishes the work.
func TestInterruptedRun_EndsOnTheHostsAtOnceAndTheNextOneConverges(t *testing.T) {
	s := cluster(t)
	run, release := s.begin(t, "root")
	if s.uploads(t) == "" {
		t.Error("nothing was uploaded: this test proves too little")
	}
	if err := run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-run.ended
	if code := run.ProcessState.ExitCode(); code != 130 {
		t.Errorf("it ended with %d:\n%s%s", code, &run.stdout, &run.stderr)
	}
	for _, host := range allHosts {
		if left := s.atWork(t, host); left != "" {
			t.Errorf("%s: still at work: %s", host, left)
		}
	}
	if left := s.uploads(t); left != "" {
		t.Errorf("left behind on the master: %s", left)
	}
	release()
	s.mustConverge(t)
}

//go:build lab

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab/nspawn"
)

// examination is the part of doctor -o json that the tests look at.
type examination struct {
	OK      bool `json:"ok"`
	Summary struct{ Fine, Warnings, Failures, Unreachable int }
	Hosts   []struct {
		Host     string
		Reached  bool
		Findings []struct{ Check, Level, Subject, Found, Next string }
	}
}

// of lists a host's findings of a level as "check subject: found".
func (e examination) of(host, level string) []string {
	lines := []string{}
	for _, h := range e.Hosts {
		for _, f := range h.Findings {
			if h.Host == host && f.Level == level {
				lines = append(lines, strings.TrimSpace(f.Check+" "+f.Subject)+": "+f.Found)
			}
		}
	}
	return lines
}

// examined is what doctor says; it must end with the code.
func (s *site) examined(t *testing.T, code int) examination {
	t.Helper()
	r := s.must(t, code, "doctor", "-o", "json")
	var e examination
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatalf("doctor -o json: %v\n%s", err, r.stdout)
	}
	if e.OK != (code == 0) || len(e.Hosts) < 4 {
		t.Errorf("code %d with %s", code, r.stdout)
	}
	return e
}

// expectOne fails unless the only failure of all hosts is this one.
func (e examination) expectOne(t *testing.T, host, finding string) {
	t.Helper()
	for _, h := range e.Hosts {
		failures := e.of(h.Host, "failure")
		if h.Host != host && len(failures) > 0 || h.Host == host && (len(failures) != 1 || !strings.Contains(failures[0], finding)) {
			t.Errorf("%s: %q, want on %s only %q", h.Host, failures, host, finding)
		}
	}
}

// with is the same site with its inventory changed.
func (s *site) with(t *testing.T, old, replacement string) *site {
	t.Helper()
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the inventory has no %q", old)
	}
	changed := *s
	changed.inventory = filepath.Join(t.TempDir(), "inventory.yaml")
	if err := os.WriteFile(changed.inventory, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &changed
}

// later runs a line of shell on a host when the test ends.
func (s *site) later(t *testing.T, host, line string) {
	t.Helper()
	t.Cleanup(func() { s.sh(t, host, line) })
}

// expectFine fails unless nothing is wrong with the hosts but what is peculiar
// to those of the lab: their control groups are as the machine's.
func (e examination) expectFine(t *testing.T) {
	t.Helper()
	for _, h := range e.Hosts {
		for _, finding := range append(e.of(h.Host, "warning"), e.of(h.Host, "unchecked")...) {
			if !strings.HasPrefix(finding, "cgroup: ") {
				t.Errorf("%s: %s", h.Host, finding)
			}
		}
	}
}

func TestDoctor_AClusterThatRunsIsFine(t *testing.T) {
	s := cluster(t)
	e := s.examined(t, 0)
	e.expectFine(t)
	for host, unit := range map[string]string{"master": "etcd", "slave1": "kubelet", "slave2": "kube-proxy", "registry": "registry"} {
		held := false
		for _, finding := range e.of(host, "ok") {
			if strings.HasPrefix(finding, "ports ") && strings.HasSuffix(finding, ": free") {
				t.Errorf("%s: %s", host, finding)
			}
			held = held || strings.HasSuffix(finding, "held by "+unit+".service")
		}
		if !held {
			t.Errorf("%s: %s holds no port: %q", host, unit, e.of(host, "ok"))
		}
	}
}

func TestDoctor_NeedsNoArtifacts(t *testing.T) {
	s := cluster(t).with(t, "artifacts: {dir: ", "artifacts: {dir: /not/there")
	s.examined(t, 0).expectFine(t)
}

// One connection and one command for each host, and an SFTP handshake.
func TestDoctor_AsksEachHostOnce(t *testing.T) {
	s := cluster(t)
	r := s.must(t, 0, "doctor", "--debug")
	for message, want := range map[string]int{`msg="ssh connected"`: 4, `msg="ssh exec"`: 4, `command=doctor`: 4} {
		if got := strings.Count(r.stderr, message); got != want {
			t.Errorf("%s %d times, want %d:\n%s", message, got, want, r.stderr)
		}
	}
}

func TestDoctor_FindsWhatIsBroken(t *testing.T) {
	tests := []struct {
		name, host, breaks, mends string
		finding                   string
	}{
		{
			name: "a port that another program took", host: "slave1",
			breaks: `systemctl stop kube-proxy
systemd-run --quiet --unit=squatter socat TCP-LISTEN:10256,bind=127.0.0.1,reuseaddr,fork /dev/null
timeout 20 sh -c 'until ss -Hltn sport = :10256 | grep -q .; do :; done'`,
			mends:   "systemctl stop squatter; systemctl start kube-proxy",
			finding: "ports 10256/tcp: taken by socat (pid ",
		},
		{
			name: "a full disk", host: "registry",
			breaks: "mount -t tmpfs -o size=1M tmpfs /var/lib/registry", mends: "umount /var/lib/registry",
			finding: "disk /var/lib/registry: 1 MiB free on /var/lib/registry, 2.0 GiB needed",
		},
		{
			name: "a file system that can't be written", host: "slave2",
			breaks: "mount --bind /opt/cni /opt/cni && mount -o remount,bind,ro /opt/cni", mends: "umount /opt/cni",
			finding: "disk /opt/cni/bin: can't be written",
		},
		{
			name: "a missing program", host: "master",
			breaks: "mv /usr/bin/base64 /usr/bin/base64.away", mends: "mv /usr/bin/base64.away /usr/bin/base64",
			finding: "tools: missing: base64",
		},
		{
			name: "a login that is no shell", host: "slave1",
			breaks: "usermod --shell /usr/sbin/nologin root", mends: "usermod --shell /bin/bash root",
			finding: "shell: exit status 1: This account is currently not available.",
		},
		{
			name: "a key that is not accepted any more", host: "slave2",
			breaks: "mv /root/.ssh/authorized_keys /root/.ssh/away", mends: "mv /root/.ssh/away /root/.ssh/authorized_keys",
			finding: "auth: ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := cluster(t)
			s.later(t, tt.host, tt.mends)
			s.sh(t, tt.host, tt.breaks)
			code := 2
			if strings.HasPrefix(tt.finding, "auth") {
				code = 3
			}
			s.examined(t, code).expectOne(t, tt.host, tt.finding)
		})
	}
	cluster(t).examined(t, 0).expectFine(t)
}

func TestDoctor_WarnsOfWhatIsOnlyAwkward(t *testing.T) {
	for name, tt := range map[string]struct{ breaks, mends, finding string }{
		"no SFTP": {
			"sed -i.away 's/^Subsystem/#Subsystem/' /etc/ssh/sshd_config && systemctl reload ssh",
			"mv /etc/ssh/sshd_config.away /etc/ssh/sshd_config && systemctl reload ssh",
			"sftp: sshd has no SFTP",
		},
		"a shell that talks": {
			`cp -a /root/.bashrc /root/.bashrc.away 2>/dev/null; sed -i '1i printf "Welcome \\033[31m\\n"' /root/.bashrc`,
			"mv /root/.bashrc.away /root/.bashrc",
			`shell: the login shell prints something of its own: "Welcome \x1b[31m\n"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster(t)
			s.later(t, "slave2", tt.mends)
			s.sh(t, "slave2", tt.breaks)
			e := s.examined(t, 0)
			if got := e.of("slave2", "warning"); !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, tt.finding) }) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestDoctor_RootBySudo(t *testing.T) {
	s := cluster(t).with(t, "ssh: {", "ssh: {user: ops, ")
	e := s.examined(t, 0)
	if got := e.of("slave1", "ok"); !slices.Contains(got, "root: by sudo from ops") {
		t.Errorf("%q", got)
	}
	s.later(t, "slave1", "mv /usr/bin/sudo.away /usr/bin/sudo")
	s.sh(t, "slave1", "mv /usr/bin/sudo /usr/bin/sudo.away")
	e = s.examined(t, 2)
	e.expectOne(t, "slave1", "root: ")
	r := s.must(t, 2, "doctor")
	if !strings.Contains(r.stdout, "sudo is not installed on the host") {
		t.Error(r.stdout)
	}
}

func TestDoctor_AFrozenHostHoldsUpNobodyForEver(t *testing.T) {
	s := cluster(t)
	host, err := s.lab.Host("slave2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Thaw(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := host.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e := s.examined(t, 3)
	if took := time.Since(start); took > 20*time.Second { // a deadline, not a measurement
		t.Errorf("took %v", took)
	}
	e.expectOne(t, "slave2", "reach: ")
	if e.Summary.Unreachable != 1 || !slices.Contains(e.of("slave1", "ok"), "ports 10250/tcp: held by kubelet.service") {
		t.Errorf("%+v", e)
	}
}

// A lean host has what provision needs of a host, before anything was done to it.
func TestDoctor_ALeanHostWillDo(t *testing.T) {
	s := cluster(t)
	edge, err := s.lab.Add(t.Context(), nspawn.HostSpec{Name: "edge", Flavour: nspawn.Lean})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := edge.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := edge.WaitSSH(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := s.with(t, "slaves:\n", "slaves:\n  - {name: edge, address: "+edge.Addr.String()+"}\n").examined(t, 0)
	e.expectFine(t)
	if got := e.of("edge", "ok"); !slices.Contains(got, "ports 10250/tcp: free") || !slices.Contains(got, "tools: all are there") {
		t.Errorf("%q", got)
	}
}

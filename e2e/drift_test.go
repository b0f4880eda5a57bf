//go:build lab

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever somebody does to a host is seen by plan and mended by a run, which
// touches nothing else.
func TestDrift_IsSeenAndMended(t *testing.T) {
	tests := []struct {
		name    string
		host    string
		disturb string
		plan    []string
		starts  []string
	}{
		{
			name:    "hand-edited sysconfig file",
			host:    "slave1",
			disturb: `sed -i 's/--config/--v=5 --config/' /etc/kubernetes/proxy`,
			plan:    []string{"slave1: update file /etc/kubernetes/proxy (drift)", "slave1: restart service kube-proxy.service (follows)"},
			starts:  []string{"slave1/kube-proxy"},
		},
		{
			name:    "stopped unit",
			host:    "master",
			disturb: "systemctl stop kube-scheduler",
			plan:    []string{"master: start service kube-scheduler.service (drift)"},
			starts:  []string{"master/kube-scheduler"},
		},
		{
			name:    "disabled unit",
			host:    "slave2",
			disturb: "systemctl disable kube-proxy",
			plan:    []string{"slave2: configure service kube-proxy.service (drift)"},
		},
		{
			name:    "masked unit",
			host:    "slave1",
			disturb: "systemctl mask --now kube-proxy",
			plan:    []string{"slave1: start service kube-proxy.service (drift)"},
			starts:  []string{"slave1/kube-proxy"},
		},
		{
			name:    "deleted binary",
			host:    "slave2",
			disturb: "rm /usr/local/bin/kube-proxy",
			plan:    []string{"slave2: create artifact /usr/local/bin/kube-proxy (drift)", "slave2: restart service kube-proxy.service (follows)"},
			starts:  []string{"slave2/kube-proxy"},
		},
		{
			name:    "binary of the same size and another content",
			host:    "slave2",
			disturb: `printf x | dd of=/usr/local/bin/ctr bs=1 seek=4096 conv=notrunc 2>/dev/null`,
			plan:    []string{"slave2: update artifact /usr/local/bin/ctr (drift)"},
		},
		{
			name:    "wrong mode",
			host:    "master",
			disturb: "chmod 644 /etc/kubernetes/scheduler",
			plan:    []string{"master: update file /etc/kubernetes/scheduler (drift)"},
		},
		{
			name:    "changed sysctl",
			host:    "slave1",
			disturb: "sysctl -qw net.ipv4.ip_forward=0",
			plan:    []string{"slave1: update sysctl net.ipv4.ip_forward (drift)"},
		},
		{
			name:    "flannel's network changed in etcd",
			host:    "master",
			disturb: `etcdctl-root put /coreos.com/network/config '{"Network":"172.18.0.0/16"}'`,
			plan:    []string{"master: run command flannel-network (drift)"},
		},
		{
			name:    "exchanged key of a certificate",
			host:    "master",
			disturb: "cp /etc/kubernetes/pki/admin.key /etc/kubernetes/pki/scheduler.key",
			plan:    []string{"master: update certificate /etc/kubernetes/pki/scheduler.crt (renewal)", "master: restart service kube-scheduler.service (follows)"},
			starts:  []string{"master/kube-scheduler"},
		},
		{
			name:    "image removed from the registry",
			host:    "registry",
			disturb: "rm -r /var/lib/registry/docker/registry/v2/repositories/sample",
			plan:    nil, // the tag is in the resource's name
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := cluster(t)
			s.sh(t, tt.host, tt.disturb)
			plan := s.planned(t)
			if tt.plan != nil && !cmp.Equal(tt.plan, plan) {
				t.Error("plan:", cmp.Diff(tt.plan, plan))
			}
			if len(plan) == 0 {
				t.Error("plan does not see it")
			}
			before := s.started(t, allHosts...)
			s.must(t, 0, "apply", "--skip-verify")
			started := restarted(before, s.started(t, allHosts...))
			slices.Sort(started)
			if diff := cmp.Diff(append([]string{}, tt.starts...), started); diff != "" {
				t.Error("started:", diff)
			}
			if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
				t.Error("plan after the run:", diff)
			}
		})
	}
}

// Of what somebody edited, plan tells when, and who was on the host.
func TestDrift_TellsWhenAndWho(t *testing.T) {
	s := cluster(t)
	t.Cleanup(func() { s.must(t, 0, "apply", "--skip-verify") })
	slave1, err := s.lab.Host("slave1")
	if err != nil {
		t.Fatal(err)
	}
	login := exec.Command("ssh", "-tt", "-i", s.lab.KeyFile, "-o", "UserKnownHostsFile="+s.lab.KnownHostsFile, "root@"+slave1.Addr.String(),
		"sed -i 's/--config/--v=5 --config/' /etc/kubernetes/proxy")
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	day := s.sh(t, "slave1", "stat -c %Z /etc/kubernetes/proxy | xargs -I{} date -u -d @{} '+%Y-%m-%d %H:%M:%S UTC'")
	r := s.must(t, 2, "plan")
	for _, text := range []string{"changed there at " + strings.TrimSpace(day), "last login on slave1: root pts/", s.lab.Gateway.String()} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("plan does not say %q:\n%s", text, r.stdout)
		}
	}
}

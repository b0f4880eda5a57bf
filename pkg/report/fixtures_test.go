package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"provision/pkg/converge"
	"provision/pkg/remote"
	"provision/pkg/resource"
)

var begin = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }

func sum(i int) string { return fmt.Sprintf("%064x", i+0xabc) }

func change(action converge.Action, cause converge.Cause, kind, name string, differences ...resource.Difference) converge.Change {
	return converge.Change{Resource: resource.ID{Kind: kind, Name: name}, Action: action, Cause: cause, Differences: differences}
}

func created(kind, name string) converge.Change {
	return change(converge.ActionCreate, converge.CauseNew, kind, name,
		resource.Difference{Name: "content", Want: sum(len(name))}, resource.Difference{Name: "mode", Want: "0644"})
}

func started(unit string, uses ...resource.ID) converge.Change {
	c := change(converge.ActionStart, converge.CauseNew, "service", unit, resource.Difference{Name: "boot", Want: "enabled"},
		resource.Difference{Name: "state", Want: "active"}, resource.Difference{Name: "inputs", Want: sum(1)})
	c.Uses = uses
	return c
}

func stage(name string, after []string, changes ...converge.Change) converge.StagePlan {
	return converge.StagePlan{Name: name, After: after, Changes: changes}
}

// firstInstall is the plan of four bare hosts.
func firstInstall() *converge.Plan {
	chrony := change(converge.ActionUpdate, converge.CauseNew, "file", "/etc/chrony/chrony.conf", resource.Difference{Name: "content", Have: sum(3), Want: sum(4)})
	chrony.Diff = "--- /etc/chrony/chrony.conf\n+++ /etc/chrony/chrony.conf\n@@ -1,2 +1,2 @@\n-pool 2.debian.pool.ntp.org iburst\n+server 10.25.31.44 iburst\n keyfile /etc/chrony/chrony.keys\n"
	prepare := stage("prepare", nil, created("package", "chrony"), chrony, started("chrony.service"))
	var programs, certificates []converge.Change
	for _, name := range []string{"etcd", "etcdctl", "etcdutl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		programs = append(programs, created("artifact", "/usr/local/bin/"+name))
		certificates = append(certificates, created("certificate", "/etc/kubernetes/pki/"+name+".crt"))
	}
	node := stage("node", []string{"control-plane"}, created("trust", "/etc/kubernetes/pki/ca.crt"), created("file", "/etc/kubernetes/kubelet"),
		created("directory", "/var/lib/kubelet"), change(converge.ActionUpdate, converge.CauseNew, "sysctl", "net.ipv4.ip_forward", resource.Difference{Name: "value", Have: "0", Want: "1"}),
		started("kubelet.service", resource.ID{Kind: "file", Name: "/etc/kubernetes/kubelet"}), started("kube-proxy.service"))
	slaveStages := []converge.StagePlan{prepare, stage("slave-programs", nil, programs[:4]...), node}
	return &converge.Plan{Hosts: []converge.HostPlan{
		{Host: "master", Stages: []converge.StagePlan{
			prepare, stage("master-programs", nil, programs...),
			stage("authorities", nil, created("directory", "/etc/kubernetes/pki"), created("authority", "cluster"), created("authority", "etcd")),
			stage("control-plane", nil, append(certificates, started("kube-apiserver.service"))...),
		}},
		{Host: "slave1", Stages: slaveStages},
		{Host: "slave2", Stages: slaveStages},
		{Host: "registry", Stages: []converge.StagePlan{prepare}},
	}}
}

const kubeletDiff = `--- /etc/kubernetes/kubelet
+++ /etc/kubernetes/kubelet
@@ -2,7 +2,7 @@
 # What the kubelet is started with.
 KUBELET_ADDRESS="--address=0.0.0.0"
 KUBELET_HOSTNAME="--hostname-override={host}"
-KUBELET_ARGS="--config=/etc/kubernetes/kubelet.yaml --v=9 --pod-infra-container-image=registry:5000/pause:latest"
+KUBELET_ARGS="--config=/etc/kubernetes/kubelet.yaml --v=2"
 KUBELET_PORT=""
`

// secondRun is a plan with drift, a change and a renewal on the given slaves.
func secondRun(slaves ...string) *converge.Plan {
	etcd := change(converge.ActionRestart, converge.CauseBoth, "service", "etcd.service", resource.Difference{Name: "unit", Have: "changed on disk", Want: "loaded"},
		resource.Difference{Name: "inputs", Have: "as they were before this run", Want: sum(2)})
	for _, name := range []string{"/etc/etcd/etcd.conf", "/usr/local/lib/systemd/system/etcd.service", "/etc/etcd/environment", "/etc/etcd/users", "/etc/etcd/roles"} {
		etcd.Uses = append(etcd.Uses, resource.ID{Kind: "file", Name: name})
	}
	master := converge.HostPlan{Host: "master", Stages: []converge.StagePlan{
		stage("etcd", nil,
			change(converge.ActionUpdate, converge.CauseDrift, "file", "/etc/etcd/etcd.conf", resource.Difference{Name: "content", Have: sum(5), Want: sum(6)},
				resource.Difference{Name: "mode", Have: "0644", Want: "0600"}, resource.Difference{Name: "owner", Have: "core:core", Want: "root:root"}),
			change(converge.ActionUpdate, converge.CauseRenewal, "certificate", "/etc/etcd/pki/server.crt", resource.Difference{Name: "certificate", Have: "expires on 2026-12-01, in 7 days; lacks the address 10.25.31.46", Want: "valid"}),
			etcd),
		stage("control-plane", nil,
			change(converge.ActionConfigure, converge.CauseDrift, "service", "kube-scheduler.service", resource.Difference{Name: "boot", Have: "disabled", Want: "enabled"}),
			change(converge.ActionStart, converge.CauseDrift, "service", "kube-apiserver.service", resource.Difference{Name: "state", Have: "failed", Want: "active"})),
	}}
	plan := &converge.Plan{Hosts: []converge.HostPlan{master}}
	for i, name := range slaves {
		kubelet := change(converge.ActionUpdate, converge.CauseChange, "file", "/etc/kubernetes/kubelet", resource.Difference{Name: "content", Have: sum(2 * i), Want: sum(2*i + 1)})
		kubelet.Diff = strings.ReplaceAll(kubeletDiff, "{host}", name)
		restart := change(converge.ActionRestart, converge.CauseChange, "service", "kubelet.service", resource.Difference{Name: "inputs", Have: "as they were before this run", Want: sum(2)})
		restart.Uses = []resource.ID{kubelet.Resource}
		host := converge.HostPlan{Host: name, Stages: []converge.StagePlan{
			stage("prepare-slave", nil),
			stage("node", []string{"control-plane"}, kubelet, restart),
		}}
		if i%7 == 0 {
			host.Stages[0].Changes = []converge.Change{
				change(converge.ActionStop, converge.CauseDrift, "service", "swap.target", resource.Difference{Name: "state", Have: "active", Want: "inactive"}),
				change(converge.ActionRun, converge.CauseDrift, "command", "swap-off", resource.Difference{Name: "check", Have: "fails with status 1", Want: "passes"}),
				change(converge.ActionUpdate, converge.CauseDrift, "sysctl", "kernel.keys.root_maxbytes", resource.Difference{Name: "value", Have: "20000", Want: "25000000"}),
			}
		}
		plan.Hosts = append(plan.Hosts, host)
	}
	return plan
}

func slaves(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("slave%d", i+1)
	}
	return names
}

func unreachable(plan *converge.Plan, hosts ...string) *converge.Plan {
	for i, host := range hosts {
		plan.Hosts = append(plan.Hosts, converge.HostPlan{Host: host, Err: fmt.Errorf("dial tcp 198.18.0.%d:22: connect: no route to host", i+5)})
	}
	return plan
}

func commandError(host string, pid int) error {
	return fmt.Errorf("stage node: service kubelet.service: %w", &remote.CommandError{
		Host: host, Command: "apply node", Status: 1,
		Stderr: fmt.Sprintf("kubelet.service did not become active within 90 s\nNov 24 09:00:%02d %s kubelet[%d]: Error: unknown flag: --no-such-flag", pid%60, host, pid),
		Hint:   "look at `journalctl -u kubelet.service` there",
	})
}

// ended is how a run ended: one master, some slaves good and bad.
func ended(names []string) *converge.Outcome {
	outcome := &converge.Outcome{Hosts: []converge.HostOutcome{{
		Host: "master", Changed: 52,
		Stages: timings("prepare", 0, 3.2, "master-programs", 3.2, 8.9, "authorities", 8.9, 9.4, "etcd", 9.4, 11.5, "control-plane", 11.5, 18.4),
	}}}
	for i, name := range names {
		host := converge.HostOutcome{Host: name, Changed: 60}
		late := float64(i%5) / 2
		host.Stages = timings("prepare", 0, 3+late, "slave-programs", 3+late, 9+late, "node", 18.4, 22.1+late)
		switch i % 20 {
		case 2, 3:
			host.Changed, host.Err = 40, commandError(name, 1200+i)
		case 4:
			host.Changed, host.Stages = 0, nil
			host.Err = fmt.Errorf("dial tcp 198.18.0.%d:22: connect: connection refused", i)
		case 5:
			host.Changed, host.Stages, host.Err = 22, timings("prepare", 0, 3, "node", 9.9, 9.9), fmt.Errorf("stage node: %w", &converge.BlockedError{Stage: "etcd", Hosts: []string{"master2"}})
		case 6:
			host.Changed, host.Stages = 0, nil
		}
		outcome.Hosts = append(outcome.Hosts, host)
	}
	return outcome
}

func timings(parts ...any) []converge.StageTiming {
	stages := []converge.StageTiming{}
	for i := 0; i < len(parts); i += 3 {
		stages = append(stages, converge.StageTiming{Stage: parts[i].(string), Start: at(number(parts[i+1])), End: at(number(parts[i+2]))})
	}
	return stages
}

func number(value any) float64 {
	if n, ok := value.(int); ok {
		return float64(n)
	}
	return value.(float64)
}

// verified are the results of checks, of which some failed when asked.
func verified(names []string, failing bool) []Check {
	checks := []Check{
		{Name: "etcd healthy", Host: "master", OK: true, Detail: "1 member, 4.2 MB", Seconds: 0.1},
		{Name: "API ready", Host: "master", OK: true, Seconds: 0.04},
	}
	for i, name := range names {
		ready := Check{Name: "node ready", Host: name, OK: true, Detail: "as " + name, Seconds: 1.5}
		bridge := Check{Name: "pod bridge in its lease", Host: name, OK: true, Seconds: 0.2}
		if failing && i%2 == 1 {
			bridge.OK = false
			bridge.Detail = "cni0 has 10.1.2.1/24, which is not in the lease 172.30.14.0/24\nflannel.1 is up"
			bridge.Hint = "restart the host's containers: its bridge is older than its lease; `systemctl restart containerd` does"
		}
		checks = append(checks, ready, bridge)
	}
	return append(checks, Check{Name: "a pod runs and answers through a NodePort", OK: true, Detail: "172.30.14.3 from registry:5000/sample:1", Seconds: 3.25})
}

// tree is an error as they come from several hosts and libraries.
func tree() error {
	var errs *multierror.Error
	for i, name := range slaves(3) {
		errs = multierror.Append(errs, fmt.Errorf("%s: %w", name, commandError(name, 1200+i)))
	}
	errs = multierror.Append(errs, errors.Join(errors.New("registry: connection refused"), errors.New("slave4: connection refused")))
	return fmt.Errorf("apply: %w", errors.Join(errs, errors.New("write kubeconfig: permission denied")))
}

package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/blueprint"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// healthy is a host that needs nothing, and what is required of it.
func healthy() (*Facts, blueprint.Requirements) {
	facts := &Facts{
		Clock: Clock{Host: noon, Sent: noon, Heard: noon},
		Login: Login{User: "root", Shell: "/bin/bash", Sh: "/usr/bin/dash"},
		System: System{
			Architecture: "x86_64", Linux: "6.1.0-18-amd64", ID: "debian", Name: "Debian GNU/Linux 12 (bookworm)",
			Init: "systemd", Systemd: true, Cgroup: 2,
		},
		MissingTools: map[string]bool{},
		Disks:        map[string]Disk{"/var/lib/etcd": {Mount: "/var", Free: 3 << 30, Known: true}},
		Features:     map[string]string{"overlay": "loaded"},
		Sockets:      []Socket{{Protocol: "tcp", Address: netip.MustParseAddrPort("0.0.0.0:6443"), PIDs: []int{1, 7}}},
		Processes:    map[int]Process{1: {Name: "systemd", Unit: "init.scope"}, 7: {Name: "kube-apiserver", Unit: "kube-apiserver.service"}},
	}
	return facts, blueprint.Requirements{
		Host:          "m",
		Ports:         []blueprint.Port{{Number: 6443, Protocol: "tcp", Unit: "kube-apiserver.service"}, {Number: 8472, Protocol: "udp", Unit: "flanneld.service", Kernel: true}},
		Kernel:        []blueprint.Feature{{Name: "overlay"}},
		Disk:          []blueprint.Space{{Path: "/var/lib/etcd", Free: 2 << 30}},
		Tools:         []string{"mount"},
		Linux:         []blueprint.LinuxVersion{{Major: 5, Minor: 13}},
		Cgroup:        []blueprint.Cgroup{{Version: 2, Weight: blueprint.Weight{Hint: "set failCgroupV1"}}},
		Swap:          []blueprint.NoSwap{{Weight: blueprint.Weight{Warning: true, Hint: "a run does it"}}},
		Distributions: []blueprint.Distributions{{IDs: []string{"debian"}, Weight: blueprint.Weight{Warning: true}}},
	}
}

func TestJudge_AHealthyHostIsFine(t *testing.T) {
	facts, required := healthy()
	result := Result{Findings: judge(facts, required)}
	for _, f := range result.Findings {
		if f.Level != OK || f.Next != "" || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
	for _, check := range Checks()[2:] {
		if check != CheckSFTP && len(result.of(check)) == 0 {
			t.Errorf("nothing was said about %s", check)
		}
	}
}

func TestJudge_FindsWhatIsWrong(t *testing.T) {
	listens := func(unit, name string) func(*Facts) {
		return func(f *Facts) { f.Processes[7] = Process{Name: name, Unit: unit} }
	}
	tests := []struct {
		name    string
		harm    func(*Facts)
		check   string
		subject string
		level   Level
		found   string
		next    string
	}{
		{"no root", func(f *Facts) { f.Login.UID = 1000 }, CheckRoot, "", Failure, "commands run as user 1000, not as root", "log in as root"},
		{"sudo", func(f *Facts) { f.Login.User = "ops" }, CheckRoot, "", OK, "by sudo from ops", ""},
		{"talkative shell", func(f *Facts) { f.Noise = "Welcome!\x1b[2J\n" }, CheckShell, "", Warning, `prints something of its own: "Welcome!\x1b[2J\n"`, ".bashrc"},
		{"clock a little off", func(f *Facts) { f.Clock.Host = noon.Add(3 * time.Second) }, CheckClock, "", Warning, "3.0 s ahead of this machine's", "set it"},
		{"clock far behind", func(f *Facts) { f.Clock.Host = noon.Add(-25 * time.Hour) }, CheckClock, "", Failure, "25h0m0s behind this machine's", "set it"},
		{"a round trip is no skew", func(f *Facts) { f.Clock.Heard = noon.Add(5 * time.Second) }, CheckClock, "", OK, "agrees", ""},
		{"what it can't explain is", func(f *Facts) { f.Clock = Clock{noon.Add(40 * time.Second), noon, noon.Add(4 * time.Second)} }, CheckClock, "", Failure, "38.0 s ahead of", "set it"},
		{"no time", func(f *Facts) { f.Clock.Host = time.Time{} }, CheckClock, "", Warning, "date tells no time", "date +%s"},
		{"no tool", func(f *Facts) { f.MissingTools = map[string]bool{"apt-get dnf yum": true, "mount": true, "x": true} }, CheckTools, "", Failure, "missing: one of apt-get, dnf, yum; mount", "install"},
		{"full disk", func(f *Facts) { f.Disks["/var/lib/etcd"] = Disk{Mount: "/var", Free: 200 << 20, Known: true} }, CheckDisk, "/var/lib/etcd", Failure, "200 MiB free on /var, 2.0 GiB needed", "make room on /var"},
		{"read-only disk", func(f *Facts) { f.Disks["/var/lib/etcd"] = Disk{ReadOnly: true} }, CheckDisk, "/var/lib/etcd", Failure, "can't be written", "remount"},
		{"unknown disk", func(f *Facts) { f.Disks = nil }, CheckDisk, "/var/lib/etcd", Warning, "df tells nothing", "df -P"},
		{"no systemd", func(f *Facts) { f.System.Init, f.System.Systemd = "openrc-init", false }, CheckOS, "systemd", Failure, "process 1 is openrc-init, not systemd", "systemd boots"},
		{"other distribution", func(f *Facts) { f.System.ID, f.System.Name = "fedora", "Fedora 43" }, CheckOS, "distribution", Warning, "Fedora 43 is not one of debian", "use one of them"},
		{"old kernel", func(f *Facts) { f.System.Linux = "5.10.0-28" }, CheckOS, "kernel", Failure, "Linux 5.10.0-28 is older than 5.13", "newer kernel"},
		{"odd kernel", func(f *Facts) { f.System.Linux = "plan9" }, CheckOS, "kernel", Failure, "Linux plan9 is older than 5.13", "newer kernel"},
		{"cgroup v1", func(f *Facts) { f.System.Cgroup = 1 }, CheckCgroup, "", Failure, "cgroup v1, v2 is asked for", "set failCgroupV1"},
		{"swap", func(f *Facts) { f.System.Swaps = []Swap{{"/dev/sda2", 2 << 30}} }, CheckSwap, "", Warning, "on: /dev/sda2 (2.0 GiB)", "a run does it"},
		{"feature missing", func(f *Facts) { f.Features["overlay"] = "missing" }, CheckKernel, "overlay", Failure, "neither built in nor as a module", "install"},
		{"feature unknown", func(f *Facts) { f.Features = nil }, CheckKernel, "overlay", Warning, "can't be told", "modprobe overlay"},
		{"port free", func(f *Facts) { f.Sockets = nil }, CheckPorts, "6443/tcp", OK, "free", ""},
		{"port of another unit", listens("nginx.service", "nginx"), CheckPorts, "6443/tcp", Failure, "taken by nginx (pid 7, nginx.service) on 0.0.0.0; kube-apiserver.service needs it", "systemctl disable --now nginx.service"},
		{"port of a session", listens("session-3.scope", "python3"), CheckPorts, "6443/tcp", Failure, "taken by python3 (pid 7, session-3.scope)", "end that program"},
		{"port of nobody known", func(f *Facts) { f.Processes = nil }, CheckPorts, "6443/tcp", Failure, "taken by - (pid 7)", "end that program"},
		{"port of a unit that is a command", listens("$(reboot).service", "x"), CheckPorts, "6443/tcp", Failure, "$(reboot).service", "end that program and keep it from being started again"},
		{"port of the kernel", func(f *Facts) { f.Sockets[0].PIDs = nil }, CheckPorts, "6443/tcp", Failure, "taken by the kernel itself", "NFS"},
		{"port of another protocol", func(f *Facts) { f.Sockets[0].Protocol = "udp"; f.Processes = nil }, CheckPorts, "6443/tcp", OK, "free", ""},
		{"vxlan", func(f *Facts) {
			f.Sockets = []Socket{{Protocol: "udp", Address: netip.MustParseAddrPort("0.0.0.0:8472")}}
		}, CheckPorts, "8472/udp", OK, "held by the kernel for flanneld.service", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts, required := healthy()
			tt.harm(facts)
			findings := judge(facts, required)
			at := slices.IndexFunc(findings, func(f Finding) bool {
				return f.Check == tt.check && f.Subject == tt.subject && strings.Contains(f.Found, tt.found)
			})
			if at < 0 {
				t.Fatalf("not found in %+v", findings)
			}
			f := findings[at]
			if f.Level != tt.level || !strings.Contains(f.Next, tt.next) || (f.Next == "") != (f.Level == OK) {
				t.Errorf("%+v", f)
			}
			for i, other := range findings {
				if i != at && other.Level != OK {
					t.Errorf("found besides: %+v", other)
				}
			}
		})
	}
}

func TestClock_TheRoundTripIsShared(t *testing.T) {
	clock := Clock{Host: noon.Add(10 * time.Second), Sent: noon, Heard: noon.Add(4 * time.Second)}
	if clock.Skew() != 8*time.Second || clock.Certain() != 6*time.Second {
		t.Errorf("skew %v, certain %v", clock.Skew(), clock.Certain())
	}
	clock = Clock{Host: noon.Add(-10 * time.Second), Sent: noon, Heard: noon.Add(4 * time.Second)}
	if clock.Skew() != -12*time.Second || clock.Certain() != 10*time.Second {
		t.Errorf("skew %v, certain %v", clock.Skew(), clock.Certain())
	}
}

package blueprint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"provision/pkg/inventory"
	"provision/pkg/resource"
)

// requirements are those of the hosts by name.
func requirements(t *testing.T, set *Set, inv *inventory.Inventory) map[string]Requirements {
	t.Helper()
	all, err := set.Requirements(inv)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]Requirements{}
	for _, r := range all {
		named[r.Host] = r
	}
	return named
}

// portsOf lists ports as "6443/tcp kube-apiserver".
func portsOf(r Requirements) []string {
	var list []string
	for _, p := range r.Ports {
		list = append(list, p.String()+" "+strings.TrimSuffix(p.Unit, ".service"))
	}
	return list
}

func TestRequirements_HoldTheWellKnownPorts(t *testing.T) {
	all := requirements(t, modern(t), parse(t, ""))
	for host, want := range map[string][]string{
		"m": {
			"123/udp chrony", "2379/tcp etcd", "2380/tcp etcd", "6443/tcp kube-apiserver",
			"10257/tcp kube-controller-manager", "10259/tcp kube-scheduler",
		},
		"s": {"10250/tcp kubelet", "10248/tcp kubelet", "10249/tcp kube-proxy", "10256/tcp kube-proxy", "8472/udp flanneld"},
		"r": {"5000/tcp registry", "5001/tcp registry"},
	} {
		if diff := cmp.Diff(want, portsOf(all[host])); diff != "" {
			t.Errorf("%s: %s", host, diff)
		}
	}
}

// A service that is added to the set has its ports here, or says that it has
// none.
func TestRequirements_EveryServiceHasItsPorts(t *testing.T) {
	silent := []string{"etcd-access.service", "kube-addons.service", "containerd.service", "cni-from-flannel.path"}
	set, inv := modern(t), parse(t, "")
	all := requirements(t, set, inv)
	units := map[string]bool{}
	for _, host := range desired(t, set, inv) {
		for _, r := range host.Resources() {
			if service, ok := r.(resource.Service); ok {
				units[service.Unit] = true
			}
		}
	}
	listens := map[string]bool{}
	for _, r := range all {
		for _, port := range r.Ports {
			listens[port.Unit] = true
			if !units[port.Unit] {
				t.Errorf("port %s is that of %s, which is no service of the set", port, port.Unit)
			}
		}
	}
	for unit := range units {
		if !listens[unit] && !slices.Contains(silent, unit) {
			t.Errorf("%s has no port in the requirements", unit)
		}
	}
}

func TestRequirements_FollowTheInventory(t *testing.T) {
	all := requirements(t, modern(t), parseWhole(t, `
master: {name: m, address: 10.0.0.1}
slaves: [{name: s, address: 10.0.0.2}]
registry: {name: r, address: 10.0.0.3, port: 5001}
artifacts: {dir: a}
network: {flannel: {backend: host-gw}}
components:
  apiserver: {extraArgs: {secure-port: "443"}}
  scheduler: {extraArgs: {secure-port: "0"}}
  kubelet: {config: {failCgroupV1: false, port: 10350}}
`))
	if got := portsOf(all["m"]); !slices.Contains(got, "443/tcp kube-apiserver") || len(got) != 5 {
		t.Errorf("master: %v", got)
	}
	if got := portsOf(all["s"]); !slices.Contains(got, "10350/tcp kubelet") || slices.Contains(got, "8472/udp flanneld") {
		t.Errorf("slave: %v", got)
	}
	if diff := cmp.Diff([]string{"5001/tcp registry", "5002/tcp registry"}, portsOf(all["r"])); diff != "" {
		t.Error(diff)
	}
	for _, f := range all["s"].Kernel {
		if f.Name == "vxlan" {
			t.Error("vxlan is asked for without being used")
		}
	}
}

func TestRequirements_CgroupV1IsAWarningWhereTheKubeletStartsWithIt(t *testing.T) {
	for more, warning := range map[string]bool{
		"kubernetes: {version: \"1.34\"}\n":                           true,
		"kubernetes: {version: \"1.35\"}\n":                           false,
		"components: {kubelet: {config: {failCgroupV1: false}}}\n":    true,
		"components: {kubelet: {config: {failCgroupV1: true}}}\n":     false,
		"components: {kubelet: {config: {cgroupDriver: cgroupfs}}}\n": false,
	} {
		cgroup := requirements(t, modern(t), parse(t, more))["s"].Cgroup
		if len(cgroup) != 1 || cgroup[0].Version != 2 || cgroup[0].Warning != warning || cgroup[0].Hint == "" {
			t.Errorf("%q: %+v", more, cgroup)
		}
	}
}

func TestRequirements_AHostOfAllRolesIsAskedOnce(t *testing.T) {
	all := requirements(t, modern(t), parseWhole(t,
		"master: {name: a, address: 10.0.0.1}\nslaves: [{name: a, address: 10.0.0.1}]\nregistry: {name: a, address: 10.0.0.1}\nartifacts: {dir: a}\n"))
	r := all["a"]
	if len(all) != 1 || len(r.Ports) != 13 || len(r.Cgroup) != 1 {
		t.Errorf("%+v", all)
	}
	seen := map[string]bool{}
	for _, space := range r.Disk {
		if seen[space.Path] {
			t.Errorf("%s is asked for twice", space.Path)
		}
		seen[space.Path] = true
	}
}

// requiring is a set of nothing but a requirement of masters.
func requiring(keys string) fstest.MapFS {
	return small("requirements: [{roles: [master], "+keys+"}]\n", nil)
}

func TestRequirements_Rendered(t *testing.T) {
	set := selectSmall(t, requiring(`ports: [{port: "1", unit: a.service}, {port: "{{ 0 }}", unit: b.service}, {port: "", unit: c.service}],
  kernel: [{name: x, evidence: "/proc/{{ .Host.Name }}", config: X, severity: warning, hint: do this}],
  disk: [{path: "/{{ .Host.Name }}", free: 3Mi}], tools: [a, b], linux: {version: "5.10", severity: "{{ if true }}warning{{ end }}"},
  cgroup: {version: 2}, swap: {}, distributions: {ids: [debian]}`))
	warning := Weight{Warning: true}
	want := Requirements{
		Host: "m", Ports: []Port{{Number: 1, Protocol: "tcp", Unit: "a.service"}},
		Kernel: []Feature{{Name: "x", Evidence: "/proc/m", Config: "X", Weight: Weight{Warning: true, Hint: "do this"}}},
		Disk:   []Space{{Path: "/m", Free: 3 << 20}}, Tools: []string{"a", "b"},
		Linux: []LinuxVersion{{Major: 5, Minor: 10, Weight: warning}}, Cgroup: []Cgroup{{Version: 2}}, Swap: []NoSwap{{}},
		Distributions: []Distributions{{IDs: []string{"debian"}}},
	}
	if diff := cmp.Diff(want, requirements(t, set, parse(t, ""))["m"]); diff != "" {
		t.Error(diff)
	}
}

func TestRequirements_MistakesInAManifest(t *testing.T) {
	for keys, want := range map[string]string{
		`port: 1`:          "field port not found",
		`swap: {on: true}`: "field on not found",
		`ports: [{port: "1", unit: a.service, protocol: sctp}]`: `requirement 1: port 1: unknown protocol "sctp": want tcp or udp`,
		`ports: [{port: "1"}]`:                  `port 1: unit "": want the one that listens`,
		`ports: [{port: "1", unit: a}]`:         `port 1: unit "a": want the one that listens`,
		`ports: [{port: [1], unit: a.service}]`: "want a single value",
		`kernel: [{name: "a b"}]`:               `kernel: name "a b": want a module's`,
		`kernel: [{name: a, config: CONFIG a}]`: `kernel a: config "CONFIG a": want an option`,
		`tools: ["a b"]`:                        `tools: "a b" is not the name of a program`,
		`cgroup: {version: 3}`:                  "cgroup: version: want 1 or 2",
		`distributions: {}`:                     "distributions: want ids",
	} {
		_, err := Select(requiring(keys), version(t, "1.36"))
		checkError(t, err, want)
	}
	for requirement, want := range map[string]string{"{tools: [a]}": "requirement 1: want roles", "{roles: [node]}": "requirement 1: unknown role node"} {
		_, err := Select(small("requirements: ["+requirement+"]\n", nil), version(t, "1.36"))
		checkError(t, err, want)
	}
}

func TestRequirements_MistakesOnceRendered(t *testing.T) {
	for keys, want := range map[string]string{
		`ports: [{port: "65536", unit: a.service}]`:                           `port "65536" of a.service: want a number up to 65535`,
		`ports: [{port: "{{ .Nothing }}", unit: a.service}]`:                  "Nothing",
		`ports: [{port: "1", unit: a.service}, {port: "1", unit: b.service}]`: "port 1/tcp is that of a.service and of b.service",
		`kernel: [{name: a, severity: bad}]`:                                  `unknown severity "bad": want failure or warning`,
		`kernel: [{name: a, evidence: proc}]`:                                 `kernel a: evidence "proc": want an absolute path`,
		`disk: [{path: "/a\nb", free: 1Mi}]`:                                  "want an absolute path",
		`disk: [{path: /a/../b, free: 1Mi}]`:                                  "want an absolute path",
		`disk: [{path: /a, free: 1M}]`:                                        `disk /a: free: "1M" is not a size`,
		`disk: [{path: /a, free: -1Mi}]`:                                      `"-1Mi" is not a size`,
		`linux: {version: "5"}`:                                               `linux: version "5": want MAJOR.MINOR`,
		`disk: [{path: '/{{ .ImageTag "pause.tar" }}', free: 1Mi}]`:           "the sum of pause.tar is not known to requirements",
	} {
		_, err := selectSmall(t, requiring(keys)).Requirements(parse(t, ""))
		checkError(t, err, want)
		if err != nil && !strings.Contains(err.Error(), "template set v1: requirements of m: ") {
			t.Errorf("%v does not name set and host", err)
		}
	}
}

func TestBlueprintD_AddsRequirements(t *testing.T) {
	set, err := Select(overlaid(fstest.MapFS{"v1.34/blueprint.d/a.yaml": {
		Data: []byte("requirements: [{roles: [slave], ports: [{port: \"9100\", unit: node-exporter.service}]}]\n"),
	}}), version(t, "1.36"))
	if err != nil {
		t.Fatal(err)
	}
	all := requirements(t, set, parse(t, ""))
	if got := fmt.Sprint(portsOf(all["s"])); !strings.HasSuffix(got, "9100/tcp node-exporter]") || !strings.Contains(got, "10250/tcp kubelet") {
		t.Error(got)
	}
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/pkg/converge"
	"provision/pkg/report"
	"provision/pkg/resource"
)

// bigInventory declares a cluster with many slaves.
func bigInventory(slaves int) string {
	var text strings.Builder
	fmt.Fprintln(&text, "master: {name: master, address: 198.18.250.11}\nslaves:")
	for i := range slaves {
		fmt.Fprintf(&text, "  - {name: slave%d, address: 198.18.%d.%d}\n", i+1, i/250, i%250+1)
	}
	fmt.Fprintln(&text, "registry: {name: registry, address: 198.18.250.14}\nartifacts: {dir: artifacts}")
	fmt.Fprintln(&text, "network: {podCIDR: 172.16.0.0/12}")
	return text.String()
}

// declareBig is what the big inventory means.
func declareBig(tb testing.TB, slaves int) *declared {
	tb.Helper()
	folder := tb.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/files")); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(folder, "big.yaml")
	if err := os.WriteFile(path, []byte(bigInventory(slaves)), 0o600); err != nil {
		tb.Fatal(err)
	}
	d, err := (&flags{inventory: path}).declare(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.close)
	return d
}

// moved are observations of hosts whose files are all as wanted, but for the
// kubelet's flags, which somebody changed alike on every slave.
func moved(hosts []resource.Host) map[string]converge.Observation {
	observed := map[string]converge.Observation{}
	for _, host := range hosts {
		facts := &resource.Facts{Files: map[string]resource.FileFact{}}
		for _, r := range host.Resources() {
			file, ok := r.(resource.File)
			if !ok {
				continue
			}
			want := file.Want(resource.View{Facts: facts})
			owner, group, _ := strings.Cut(want.Get("owner"), ":")
			fact := resource.FileFact{Type: "file", Mode: want.Get("mode"), Owner: owner, Group: group, Sum: want.Get("content")}
			if file.Path == "/etc/kubernetes/kubelet" {
				fact.Content, fact.Shown = append(slices.Clone(file.Content), "# by hand\n"...), true
				fact.Sum = resource.Sum(fact.Content)
			}
			facts.Files[file.Path] = fact
		}
		observed[host.Name] = converge.Observation{Facts: facts}
	}
	return observed
}

// filesOnly leaves of the hosts what moved knows.
func filesOnly(hosts []resource.Host) []resource.Host {
	var left []resource.Host
	for _, host := range hosts {
		stages := slices.Clone(host.Stages)
		for i := range stages {
			stages[i].Resources = slices.DeleteFunc(slices.Clone(stages[i].Resources), func(r resource.Resource) bool {
				_, file := r.(resource.File)
				return !file
			})
		}
		host.Stages = stages
		left = append(left, host)
	}
	return left
}

// cpu is the time that this process has had.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestPlan_ThousandHosts looks at what a plan takes besides the probes. The bar
// is for comparing and printing; reading and rendering is logged.
func TestPlan_ThousandHosts(t *testing.T) {
	began := cpu()
	d := declareBig(t, 1000)
	declared := cpu() - began

	for name, observe := range map[string]func() ([]resource.Host, map[string]converge.Observation){
		"the same change everywhere": func() ([]resource.Host, map[string]converge.Observation) {
			hosts := filesOnly(d.hosts)
			return hosts, moved(hosts)
		},
		"a first install": func() ([]resource.Host, map[string]converge.Observation) {
			observed := map[string]converge.Observation{}
			for _, host := range d.hosts {
				observed[host.Name] = converge.Observation{Facts: &resource.Facts{Filesystems: map[string]bool{}}}
			}
			return d.hosts, observed
		},
	} {
		t.Run(name, func(t *testing.T) {
			hosts, observed := observe()
			began := cpu()
			plan := converge.NewPlan(time.Now(), hosts, observed)
			var out bytes.Buffer
			report.WritePlan(&out, plan, report.Style{Width: 80}, report.PlanOptions{})
			took := cpu() - began
			lines := strings.Count(out.String(), "\n")
			t.Logf("%d hosts, %d changes: %d lines; CPU: %v to compare and print, %v to read the inventory and render", len(hosts), plan.Summary().Changes, lines, took, declared)
			if lines >= 100 || plan.Summary().Changes < 1000 {
				t.Errorf("%d lines for %d changes:\n%s", lines, plan.Summary().Changes, out.String())
			}
			if took > time.Second {
				t.Errorf("it took %v of CPU", took)
			}
		})
	}
}

func BenchmarkPlan_ThousandHosts(b *testing.B) {
	hosts := filesOnly(declareBig(b, 1000).hosts)
	observed := moved(hosts)
	for b.Loop() {
		plan := converge.NewPlan(time.Now(), hosts, observed)
		report.WritePlan(&bytes.Buffer{}, plan, report.Style{Width: 80}, report.PlanOptions{})
	}
}

func BenchmarkDeclare_ThousandHosts(b *testing.B) {
	for b.Loop() {
		declareBig(b, 1000)
	}
}

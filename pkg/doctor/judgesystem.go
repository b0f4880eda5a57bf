package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"provision/pkg/blueprint"
)

func judgeOS(system System, required blueprint.Requirements) []Finding {
	name := system.Name
	if name == "" {
		name = orDash(system.ID)
	}
	findings := []Finding{{
		Check: CheckOS, Level: OK,
		Found: fmt.Sprintf("%s, %s, Linux %s, %s", name, system.Architecture, system.Linux, orDash(system.Init)),
	}}
	if system.Init != "systemd" || !system.Systemd {
		findings = append(findings, Finding{
			Check: CheckOS, Level: Failure, Subject: "systemd", Found: "process 1 is " + orDash(system.Init) + ", not systemd",
			Next: "use a system that systemd boots: all services are units of it",
		})
	}
	for _, d := range required.Distributions {
		if !slices.Contains(d.IDs, system.ID) {
			findings = append(findings, unmet(CheckOS, "distribution", fmt.Sprintf("%s is not one of %s", name, strings.Join(d.IDs, ", ")),
				d.Weight, "use one of them"))
		}
	}
	for _, version := range required.Linux {
		if !atLeast(system.Linux, version) {
			findings = append(findings, unmet(CheckOS, "kernel", fmt.Sprintf("Linux %s is older than %d.%d", system.Linux, version.Major, version.Minor),
				version.Weight, "install a newer kernel"))
		}
	}
	return findings
}

var releasePattern = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})`)

// atLeast compares a kernel's release, as in 6.1.0-18-amd64.
func atLeast(release string, wanted blueprint.LinuxVersion) bool {
	match := releasePattern.FindStringSubmatch(release)
	if match == nil {
		return false
	}
	major, _ := strconv.Atoi(match[1])
	minor, _ := strconv.Atoi(match[2])
	return major > wanted.Major || major == wanted.Major && minor >= wanted.Minor
}

func judgeCgroup(system System, required []blueprint.Cgroup) []Finding {
	found := fmt.Sprintf("v%d", system.Cgroup)
	var findings []Finding
	for _, cgroup := range required {
		if system.Cgroup < cgroup.Version {
			findings = append(findings, unmet(CheckCgroup, "", fmt.Sprintf("the host has cgroup %s, v%d is asked for", found, cgroup.Version),
				cgroup.Weight, "boot with systemd.unified_cgroup_hierarchy=1"))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, Finding{Check: CheckCgroup, Level: OK, Found: found})
	}
	return findings
}

func judgeSwap(system System, required []blueprint.NoSwap) Finding {
	if len(system.Swaps) == 0 {
		return Finding{Check: CheckSwap, Level: OK, Found: "off"}
	}
	swaps := make([]string, len(system.Swaps))
	for i, swap := range system.Swaps {
		swaps[i] = fmt.Sprintf("%s (%s)", swap.Name, size(swap.Size))
	}
	found := "on: " + strings.Join(swaps, ", ")
	if len(required) == 0 {
		return Finding{Check: CheckSwap, Level: OK, Found: found}
	}
	return unmet(CheckSwap, "", found, required[0].Weight, "turn it off: swapoff -a, and out of /etc/fstab")
}

func judgeKernel(facts *Facts, features []blueprint.Feature) []Finding {
	var findings []Finding
	for _, feature := range features {
		how := facts.Features[feature.Name]
		switch how {
		case "loaded", "built-in", "loadable":
			findings = append(findings, Finding{Check: CheckKernel, Level: OK, Subject: feature.Name, Found: how})
		case "missing":
			findings = append(findings, unmet(CheckKernel, feature.Name, "the kernel has it neither built in nor as a module that can be loaded",
				feature.Weight, "install the kernel's modules, or a kernel that has it"))
		default:
			findings = append(findings, Finding{
				Check: CheckKernel, Level: Warning, Subject: feature.Name,
				Found: "whether the kernel has it can't be told: it is not loaded, and there is no list of what is built in",
				Next:  fmt.Sprintf("try `modprobe %s` on the host", feature.Name),
			})
		}
	}
	if len(findings) == 0 {
		findings = append(findings, Finding{Check: CheckKernel, Level: OK, Found: "nothing is asked for"})
	}
	return findings
}

// compareArchitectures finds the hosts that need other programs than the first.
func compareArchitectures(e *Examination, architectures []string) {
	first := slices.IndexFunc(architectures, func(a string) bool { return a != "" })
	for i, architecture := range architectures {
		if architecture != "" && architecture != architectures[first] {
			e.Hosts[i].Findings = append(e.Hosts[i].Findings, Finding{
				Check: CheckOS, Level: Failure, Subject: "architecture",
				Found: fmt.Sprintf("%s, but %s is %s", architecture, e.Hosts[first].Host, architectures[first]),
				Next:  "use hosts of one architecture: the artifacts are programs of one",
			})
		}
	}
}

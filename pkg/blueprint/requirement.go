package blueprint

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// requirement is what hosts of some roles must offer, as a manifest says it.
type requirement struct {
	Roles         []string            `yaml:"roles"`
	When          text                `yaml:"when"`
	Ports         []portEntry         `yaml:"ports"`
	Kernel        []featureEntry      `yaml:"kernel"`
	Disk          []spaceEntry        `yaml:"disk"`
	Tools         []string            `yaml:"tools"`
	Linux         *linuxEntry         `yaml:"linux"`
	Cgroup        *cgroupEntry        `yaml:"cgroup"`
	Swap          *swapEntry          `yaml:"swap"`
	Distributions *distributionsEntry `yaml:"distributions"`
}

type portEntry struct {
	Port     text   `yaml:"port"`
	Protocol string `yaml:"protocol"`
	Unit     string `yaml:"unit"`
	Kernel   bool   `yaml:"kernel"`
}

// weight is a part of every requirement that may be one of some only.
type weight struct {
	Severity text `yaml:"severity"`
	Hint     text `yaml:"hint"`
}

type featureEntry struct {
	Name     string `yaml:"name"`
	Evidence text   `yaml:"evidence"`
	Config   string `yaml:"config"`
	weight   `yaml:",inline"`
}

type spaceEntry struct {
	Path text `yaml:"path"`
	Free text `yaml:"free"`
}

type linuxEntry struct {
	Version text `yaml:"version"`
	weight  `yaml:",inline"`
}

type cgroupEntry struct {
	Version int `yaml:"version"`
	weight  `yaml:",inline"`
}

// swapEntry asks for swap to be off.
type swapEntry struct {
	weight `yaml:",inline"`
}

type distributionsEntry struct {
	IDs    []string `yaml:"ids"`
	weight `yaml:",inline"`
}

// The severities of a requirement that is not met.
const (
	severityFailure = "failure"
	severityWarning = "warning"
)

var (
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*$`)
	configPattern = regexp.MustCompile(`^[A-Z0-9_]+$`)
	unitPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:_.@\\-]*\.(service|socket)$`)
)

// validate checks what no template decides. What one does is checked once it
// is rendered.
func (r requirement) validate() error {
	var errs []error
	add := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	add(len(r.Roles) > 0, "want roles")
	for _, role := range r.Roles {
		errs = append(errs, checkRole(role))
	}
	for _, p := range r.Ports {
		add(slices.Contains([]string{"", "tcp", "udp"}, p.Protocol), "port %s: unknown protocol %q: want tcp or udp", p.Port.literal, p.Protocol)
		add(unitPattern.MatchString(p.Unit), "port %s: unit %q: want the one that listens, as in etcd.service", p.Port.literal, p.Unit)
	}
	for _, f := range r.Kernel {
		add(namePattern.MatchString(f.Name), "kernel: name %q: want a module's or a file system's", f.Name)
		add(f.Config == "" || configPattern.MatchString(f.Config), "kernel %s: config %q: want an option without CONFIG_, as in VXLAN", f.Name, f.Config)
	}
	for _, tool := range r.Tools {
		add(namePattern.MatchString(tool), "tools: %q is not the name of a program", tool)
	}
	add(r.Cgroup == nil || r.Cgroup.Version == 1 || r.Cgroup.Version == 2, "cgroup: version: want 1 or 2")
	if r.Distributions != nil {
		add(len(r.Distributions.IDs) > 0, "distributions: want ids, as in /etc/os-release")
	}
	return errors.Join(errs...)
}

// render adds what the host must offer.
func (r requirement) render(with *renderer, into *Requirements) error {
	var errs []error
	for _, p := range r.Ports {
		port, err := p.render(with)
		errs = append(errs, err)
		if port.Number != 0 {
			into.Ports = append(into.Ports, port)
		}
	}
	for _, f := range r.Kernel {
		weight, err := f.render(with)
		evidence := with.text(f.Evidence)
		errs = append(errs, err, checkPath("kernel "+f.Name+": evidence", evidence, true))
		into.Kernel = append(into.Kernel, Feature{Name: f.Name, Evidence: evidence, Config: f.Config, Weight: weight})
	}
	for _, d := range r.Disk {
		path := with.text(d.Path)
		free, err := parseSize(with.text(d.Free))
		errs = append(errs, checkPath("disk: path", path, false))
		if err != nil {
			errs = append(errs, fmt.Errorf("disk %s: free: %w", path, err))
		}
		into.Disk = append(into.Disk, Space{Path: path, Free: free})
	}
	into.Tools = append(into.Tools, r.Tools...)
	return errors.Join(append(errs, r.renderSystem(with, into))...)
}

// renderSystem adds what the host must be.
func (r requirement) renderSystem(with *renderer, into *Requirements) error {
	var errs []error
	if r.Linux != nil {
		weight, err := r.Linux.render(with)
		version := LinuxVersion{Weight: weight}
		errs = append(errs, err, version.parse(with.text(r.Linux.Version)))
		into.Linux = append(into.Linux, version)
	}
	if r.Cgroup != nil {
		weight, err := r.Cgroup.render(with)
		errs = append(errs, err)
		into.Cgroup = append(into.Cgroup, Cgroup{Version: r.Cgroup.Version, Weight: weight})
	}
	if r.Swap != nil {
		weight, err := r.Swap.render(with)
		errs = append(errs, err)
		into.Swap = append(into.Swap, NoSwap{weight})
	}
	if r.Distributions != nil {
		weight, err := r.Distributions.render(with)
		errs = append(errs, err)
		into.Distributions = append(into.Distributions, Distributions{IDs: r.Distributions.IDs, Weight: weight})
	}
	return errors.Join(errs...)
}

// render gives port 0 where the inventory turns it off.
func (p portEntry) render(with *renderer) (Port, error) {
	value := strings.TrimSpace(with.text(p.Port))
	port := Port{Protocol: p.Protocol, Unit: p.Unit, Kernel: p.Kernel}
	if port.Protocol == "" {
		port.Protocol = "tcp"
	}
	if with.err != nil { // which is told by itself
		value = ""
	}
	if value == "" {
		return port, nil
	}
	number, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return port, fmt.Errorf("port %q of %s: want a number up to 65535", value, p.Unit)
	}
	port.Number = uint16(number)
	return port, nil
}

func (w weight) render(with *renderer) (Weight, error) {
	severity := strings.TrimSpace(with.text(w.Severity))
	rendered := Weight{Warning: severity == severityWarning, Hint: strings.TrimSpace(with.text(w.Hint))}
	if with.err == nil && !slices.Contains([]string{"", severityFailure, severityWarning}, severity) {
		return rendered, fmt.Errorf("unknown severity %q: want %s or %s", severity, severityFailure, severityWarning)
	}
	return rendered, nil
}

func (v *LinuxVersion) parse(text string) error {
	major, minor, found := strings.Cut(text, ".")
	var errs [2]error
	v.Major, errs[0] = strconv.Atoi(major)
	v.Minor, errs[1] = strconv.Atoi(minor)
	if !found || errs[0] != nil || errs[1] != nil {
		return fmt.Errorf("linux: version %q: want MAJOR.MINOR, as in \"5.13\"", text)
	}
	return nil
}

// checkPath allows what can be asked for as a line.
func checkPath(what, name string, optional bool) error {
	if name == "" && optional {
		return nil
	}
	if !path.IsAbs(name) || path.Clean(name) != name || strings.ContainsAny(name, "\n\x00") {
		return fmt.Errorf("%s %q: want an absolute path", what, name)
	}
	return nil
}

// parseSize reads a size as in 500Mi.
func parseSize(size string) (int64, error) {
	for suffix, unit := range map[string]int64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30} {
		if digits, ok := strings.CutSuffix(size, suffix); ok {
			n, err := strconv.ParseUint(digits, 10, 20)
			if err == nil {
				return int64(n) * unit, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not a size, as in 500Mi or 2Gi", size)
}

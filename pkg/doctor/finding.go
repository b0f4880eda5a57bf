package doctor

import "slices"

// Level is how well something is.
type Level string

// The levels, from the best to the worst; what could not be looked at is
// neither.
const (
	OK        Level = "ok"
	Unchecked Level = "unchecked"
	Warning   Level = "warning"
	Failure   Level = "failure"
)

// worse orders levels.
func (l Level) worse(than Level) bool {
	order := []Level{OK, Unchecked, Warning, Failure}
	return slices.Index(order, l) > slices.Index(order, than)
}

// The checks. Their names are stable: programs read them.
const (
	CheckReach  = "reach"
	CheckAuth   = "auth"
	CheckRoot   = "root"
	CheckShell  = "shell"
	CheckSFTP   = "sftp"
	CheckDisk   = "disk"
	CheckClock  = "clock"
	CheckOS     = "os"
	CheckCgroup = "cgroup"
	CheckPorts  = "ports"
	CheckKernel = "kernel"
	CheckSwap   = "swap"
	CheckTools  = "tools"
)

// Checks are all of them, in the order in which one needs the other.
func Checks() []string {
	return []string{
		CheckReach, CheckAuth, CheckRoot, CheckShell, CheckSFTP, CheckDisk, CheckClock,
		CheckOS, CheckCgroup, CheckPorts, CheckKernel, CheckSwap, CheckTools,
	}
}

// Finding is one thing that was found on a host.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Subject is what of the host it is about, as in 6443/tcp, "" for all of it.
	Subject string `json:"subject,omitempty"`
	// Found is what was seen. It may hold anything that a host answered.
	Found string `json:"found,omitempty"`
	// Next is what to do about it, "" where nothing needs doing.
	Next string `json:"next,omitempty"`
}

// Result is what was found on one host.
type Result struct {
	Host string `json:"host"`
	// Reached tells that the host let us in and answered in time.
	Reached bool `json:"reached"`
	// Findings are in the order of Checks; each check has one at least.
	Findings []Finding `json:"findings"`
}

// Level is the worst of a check's findings.
func (r Result) Level(check string) Level {
	level := Unchecked
	for i, f := range r.of(check) {
		if i == 0 || f.Level.worse(level) {
			level = f.Level
		}
	}
	return level
}

// of are a check's findings.
func (r Result) of(check string) []Finding {
	var found []Finding
	for _, f := range r.Findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// Worst is the worst level of all checks.
func (r Result) Worst() Level {
	worst := OK
	for _, f := range r.Findings {
		if f.Level.worse(worst) {
			worst = f.Level
		}
	}
	return worst
}

// complete adds that a check was not made, for those without a finding, and
// brings all in order.
func (r *Result) complete() {
	var all []Finding
	for _, check := range Checks() {
		found := r.of(check)
		if len(found) == 0 {
			found = []Finding{{Check: check, Level: Unchecked}}
		}
		all = append(all, found...)
	}
	r.Findings = all
}

// Examination is what was found on all hosts, in the inventory's order.
type Examination struct{ Hosts []Result }

// Count is how many hosts have this worst level; an unreachable one counts as
// unreachable only.
func (e Examination) Count(level Level) int {
	n := 0
	for _, host := range e.Hosts {
		if host.Reached && host.Worst() == level {
			n++
		}
	}
	return n
}

// Unreachable is how many hosts gave no answer.
func (e Examination) Unreachable() int {
	n := 0
	for _, host := range e.Hosts {
		if !host.Reached {
			n++
		}
	}
	return n
}

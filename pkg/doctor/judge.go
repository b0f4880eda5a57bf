package doctor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"provision/pkg/blueprint"
	"provision/pkg/remote"
)

// judge compares what a host said with what is required of it.
func judge(facts *Facts, required blueprint.Requirements) []Finding {
	findings := []Finding{judgeRoot(facts.Login), judgeShell(facts), judgeClock(facts.Clock), judgeTools(facts, required)}
	findings = append(findings, judgeDisks(facts, required.Disk)...)
	findings = append(findings, judgeOS(facts.System, required)...)
	findings = append(findings, judgeCgroup(facts.System, required.Cgroup)...)
	findings = append(findings, judgePorts(facts, required.Ports)...)
	findings = append(findings, judgeKernel(facts, required.Kernel)...)
	return append(findings, judgeSwap(facts.System, required.Swap))
}

// unmet is the finding that a requirement is not met, by its weight.
func unmet(check, subject, found string, weight blueprint.Weight, usual string) Finding {
	finding := Finding{Check: check, Level: Failure, Subject: subject, Found: found, Next: weight.Hint}
	if weight.Warning {
		finding.Level = Warning
	}
	if finding.Next == "" {
		finding.Next = usual
	}
	return finding
}

// failure is the finding that a host can't be looked at.
func failure(check string, err error) Finding {
	finding := Finding{Check: check, Level: Failure, Found: err.Error()}
	lines := strings.Split(finding.Found, "\n")
	last := 0 // lines that say what to do
	switch {
	case errors.As(err, new(*remote.AuthError)):
		last = 1
	case errors.As(err, new(*remote.HostKeyError)):
		last = 2
	case check == CheckReach && ofNetwork(err):
		finding.Next = "start the host, look at its console, and compare its address and port with the inventory's and the firewall's"
	}
	if last > 0 && len(lines) > last {
		at := len(lines) - last
		finding.Found, finding.Next = strings.Join(lines[:at], "\n"), trimLines(lines[at:])
	}
	return finding
}

// ofNetwork tells whether an error is one of the way to a host; others, as of a
// key that is locked, say themselves what to do.
func ofNetwork(err error) bool {
	return errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) || errors.As(err, new(*net.OpError))
}

func trimLines(lines []string) string {
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimSpace(line)
	}
	return strings.Join(trimmed, "\n")
}

// notAnswered judges a script that did not run to its end.
func notAnswered(err error) Finding {
	var command *remote.CommandError
	if !errors.As(err, &command) {
		finding := failure(CheckShell, err)
		finding.Next = "log in by hand and run `/bin/sh -c 'echo works'`: the login shell has to run it, and pass on what it prints"
		return finding
	}
	said := command.Stderr
	if said == "" {
		said = command.Stdout
	}
	switch {
	case command.Err != nil:
		return failure(CheckReach, command.Err)
	case command.Hint != "":
		return Finding{Check: CheckRoot, Level: Failure, Found: said, Next: command.Hint}
	case command.Signal != "":
		said = strings.TrimSpace("killed by signal " + command.Signal + " " + said)
	default:
		said = strings.TrimSuffix(fmt.Sprintf("exit status %d: %s", command.Status, said), ": ")
	}
	return Finding{
		Check: CheckShell, Level: Failure, Found: said,
		Next: "log in by hand and run `sudo -n /bin/sh -c 'echo works'` (without sudo as root): it has to print that and nothing else",
	}
}

func judgeSFTP(err error) Finding {
	if err == nil {
		return Finding{Check: CheckSFTP, Level: OK, Found: "served"}
	}
	return Finding{
		Check: CheckSFTP, Level: Warning, Found: err.Error(),
		Next: "programs are uploaded through `cat` then, which is slower: have `Subsystem sftp internal-sftp` in /etc/ssh/sshd_config",
	}
}

func judgeRoot(login Login) Finding {
	switch {
	case login.UID != 0:
		return Finding{
			Check: CheckRoot, Level: Failure, Found: fmt.Sprintf("commands run as user %d, not as root", login.UID),
			Next: "let sudo run them as root, or log in as root",
		}
	case login.User == "root":
		return Finding{Check: CheckRoot, Level: OK, Found: "by login"}
	}
	return Finding{Check: CheckRoot, Level: OK, Found: "by sudo from " + login.User}
}

func judgeShell(facts *Facts) Finding {
	if facts.Noise != "" {
		return Finding{
			Check: CheckShell, Level: Warning,
			Found: fmt.Sprintf("the login shell prints something of its own: %q", excerpt([]byte(facts.Noise))),
			Next:  "make .bashrc, .profile and /etc/profile.d of that login print nothing where no terminal is: SFTP stops working otherwise",
		}
	}
	return Finding{Check: CheckShell, Level: OK, Found: fmt.Sprintf("login %s, scripts %s", orDash(facts.Login.Shell), orDash(path.Base(facts.Login.Sh)))}
}

// How far a host's clock may be from this machine's.
const (
	skewWarning = 2 * time.Second
	skewFailure = 30 * time.Second
)

func judgeClock(clock Clock) Finding {
	if clock.Host.IsZero() {
		return Finding{Check: CheckClock, Level: Warning, Found: "date tells no time", Next: "run `date +%s` on the host: it has to print seconds"}
	}
	skew, certain := clock.Skew(), clock.Certain()
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	finding := Finding{
		Check: CheckClock, Level: OK, Found: fmt.Sprintf("%s %s this machine's", roughly(skew.Abs()), direction),
		Next: "set it (chronyc makestep, date -s): certificates are valid by the clock; if all hosts differ alike, it is this machine's that is wrong",
	}
	switch {
	case certain > skewFailure:
		finding.Level = Failure
	case certain > skewWarning:
		finding.Level = Warning
	default:
		finding.Found, finding.Next = "agrees with this machine's", ""
	}
	return finding
}

// roughly writes a duration in seconds, or rounded where that says more.
func roughly(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func judgeTools(facts *Facts, required blueprint.Requirements) Finding {
	var missing []string
	all := append(ownTools(), required.Tools...)
	for _, tool := range all {
		if !facts.MissingTools[tool] {
			continue
		}
		if names := strings.Fields(tool); len(names) > 1 {
			tool = "one of " + strings.Join(names, ", ")
		}
		if !slices.Contains(missing, tool) {
			missing = append(missing, tool)
		}
	}
	if len(missing) == 0 {
		return Finding{Check: CheckTools, Level: OK, Found: "all are there"}
	}
	return Finding{
		Check: CheckTools, Level: Failure, Found: "missing: " + strings.Join(missing, "; "),
		Next: "install what has them; most are in coreutils, util-linux or systemd",
	}
}

func judgeDisks(facts *Facts, spaces []blueprint.Space) []Finding {
	var findings []Finding
	for _, space := range spaces {
		disk := facts.Disks[space.Path]
		finding := Finding{Check: CheckDisk, Level: OK, Subject: space.Path, Found: fmt.Sprintf("%s free on %s", size(disk.Free), disk.Mount)}
		switch {
		case disk.ReadOnly:
			finding.Level, finding.Found = Failure, "can't be written"
			finding.Next = "remount its file system for writing, or put another one there"
		case !disk.Known:
			finding.Level, finding.Found = Warning, "df tells nothing of its file system"
			finding.Next = "see what `df -P` says on the host"
		case disk.Free < space.Free:
			finding.Level, finding.Found = Failure, fmt.Sprintf("%s free on %s, %s needed", size(disk.Free), disk.Mount, size(space.Free))
			finding.Next = "make room on " + disk.Mount + ", or mount a larger file system at " + space.Path
		}
		findings = append(findings, finding)
	}
	if len(findings) == 0 {
		findings = append(findings, Finding{Check: CheckDisk, Level: OK, Found: "no room is asked for"})
	}
	return findings
}

// size writes bytes as in 2.0 GiB.
func size(bytes int64) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

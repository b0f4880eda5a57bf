package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Check is one thing that was verified of the cluster.
type Check struct {
	// Name says what was checked; the same check on several hosts has one name.
	Name string `json:"name"`
	// Host is where, "" for the cluster as a whole.
	Host string `json:"host,omitempty"`
	OK   bool   `json:"ok"`
	// Detail is what was found.
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds"`
	// Hint is what to do when it is not OK.
	Hint string `json:"hint,omitempty"`
}

// VerifyFormat names the format of VerifyDocument.
const VerifyFormat = "provision.verify/1"

// VerifyDocument is a verification as JSON.
type VerifyDocument struct {
	// Format is VerifyFormat.
	Format string `json:"format"`
	// OK tells that there were checks and every one passed.
	OK     bool    `json:"ok"`
	Failed int     `json:"failed"`
	Checks []Check `json:"checks"`
}

// Checks is the document of a verification.
func Checks(checks []Check) VerifyDocument {
	failed := countFailed(checks)
	return VerifyDocument{
		Format: VerifyFormat,
		OK:     len(checks) > 0 && failed == 0,
		Failed: failed,
		Checks: append([]Check{}, checks...),
	}
}

// ChecksJSON is a verification as a VerifyDocument, indented.
func ChecksJSON(checks []Check) ([]byte, error) { return marshal(Checks(checks)) }

func countFailed(checks []Check) int {
	failed := 0
	for _, check := range checks {
		if !check.OK {
			failed++
		}
	}
	return failed
}

// checkGroup is a check with one result on several hosts.
type checkGroup struct {
	Check
	hosts   []string
	details []string
}

// groupChecks joins what passed by name, and what failed by name and reason, in
// the order of the checks.
func groupChecks(checks []Check) []*checkGroup {
	var groups []*checkGroup
	byKey := map[string]*checkGroup{}
	for _, check := range checks {
		key := check.Name
		if !check.OK {
			key += "\x00" + check.Detail + "\x00" + check.Hint
		}
		g := byKey[key]
		if g == nil {
			g = &checkGroup{Check: check}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.Seconds = max(g.Seconds, check.Seconds)
		if check.Host != "" {
			g.hosts = append(g.hosts, check.Host)
		}
		g.addDetail(check.Detail)
	}
	return groups
}

func (g *checkGroup) addDetail(detail string) {
	for _, seen := range g.details {
		if seen == detail {
			return
		}
	}
	if detail != "" {
		g.details = append(g.details, detail)
	}
}

// WriteChecks writes the verification's table: each check with its hosts, the
// longest time it took, what was found, and what to do where it failed.
func WriteChecks(w io.Writer, checks []Check, style Style) {
	p := newPage(w, style)
	groups := groupChecks(checks)
	name := 0
	for _, g := range groups {
		name = max(name, columns(clean(g.Name)))
	}
	name = min(name, style.chart()/2)
	for _, g := range groups {
		g.write(p, name)
	}
	failed := countFailed(checks)
	switch {
	case len(checks) == 0:
		p.line(0, 2, span{"nothing was checked", toneWarn})
	case failed > 0:
		p.line(0, 2, span{fmt.Sprintf("%d of %s failed", failed, count(len(checks), "check")), toneBad})
	default:
		p.line(0, 2, span{"verified: " + count(len(checks), "check") + " ok", toneGood})
	}
	p.flush()
}

// detailColumn is where a check's name begins.
const detailColumn = 10

// shownDetails is how many different findings of a passed check are shown.
const shownDetails = 3

func (g *checkGroup) write(p *page, name int) {
	result := span{"✔ ok      ", toneGood}
	if !g.OK {
		result = span{"✘ FAILED  ", toneBad}
	}
	hosts := ""
	switch {
	case len(g.hosts) > namedHosts && g.OK:
		hosts = count(len(g.hosts), "host")
	case len(g.hosts) > 0:
		hosts = hostNames(g.hosts)
	}
	line := []span{result, {pad(clean(g.Name), name), toneBold}, {padLeft(seconds(g.Seconds), 8), toneDim}, {"  " + hosts, tonePlain}}
	if g.OK && len(g.details) == 1 && !strings.Contains(g.details[0], "\n") {
		inline := append(slices.Clone(line), span{"  " + g.details[0], toneDim})
		if p.fits(0, inline...) {
			p.line(0, detailColumn, inline...)
			return
		}
	}
	p.line(0, detailColumn, line...)
	for i, detail := range g.details {
		if g.OK && i == shownDetails {
			p.line(detailColumn, detailColumn, span{fmt.Sprintf("and %d more", len(g.details)-i), toneDim})
			break
		}
		for line := range strings.SplitSeq(strings.TrimRight(detail, "\n"), "\n") {
			p.line(detailColumn, detailColumn+2, span{line, toneDim})
		}
	}
	if g.Hint != "" && !g.OK {
		p.line(detailColumn, detailColumn+2, span{"→ " + g.Hint, toneNote})
	}
}

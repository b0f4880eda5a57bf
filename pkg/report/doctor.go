package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"provision/pkg/doctor"
)

// DoctorFormat names the format of DoctorDocument.
const DoctorFormat = "provision.doctor/1"

// DoctorDocument is an examination as JSON.
type DoctorDocument struct {
	// Format is DoctorFormat.
	Format string `json:"format"`
	// OK tells that every host was reached and none has a failure.
	OK      bool          `json:"ok"`
	Summary DoctorSummary `json:"summary"`
	// Hosts are in the inventory's order.
	Hosts []doctor.Result `json:"hosts"`
}

// DoctorSummary counts hosts, each once.
type DoctorSummary struct {
	Fine        int `json:"fine"`
	Warnings    int `json:"warnings"`
	Failures    int `json:"failures"`
	Unreachable int `json:"unreachable"`
}

// NewDoctorDocument is the document of an examination.
func NewDoctorDocument(e doctor.Examination) DoctorDocument {
	s := DoctorSummary{
		Fine: e.Count(doctor.OK) + e.Count(doctor.Unchecked), Warnings: e.Count(doctor.Warning),
		Failures: e.Count(doctor.Failure), Unreachable: e.Unreachable(),
	}
	return DoctorDocument{Format: DoctorFormat, OK: s.Failures+s.Unreachable == 0, Summary: s, Hosts: append([]doctor.Result{}, e.Hosts...)}
}

// DoctorJSON is an examination as a DoctorDocument, indented.
func DoctorJSON(e doctor.Examination) ([]byte, error) { return marshal(NewDoctorDocument(e)) }

// DoctorOptions choose what WriteDoctor shows.
type DoctorOptions struct {
	// Verbose also tells what was found where all is well.
	Verbose bool
}

// WriteDoctor writes a table of hosts and checks, then each problem once, with
// its hosts and what to do.
func WriteDoctor(w io.Writer, e doctor.Examination, style Style, options DoctorOptions) {
	p := newPage(w, style)
	writeMatrix(p, e)
	levels := []doctor.Level{doctor.Failure, doctor.Warning}
	if options.Verbose {
		levels = append(levels, doctor.OK)
	}
	for _, level := range levels {
		for i, g := range groupFindings(e, level) {
			if i == 0 {
				p.blank()
			}
			g.write(p)
		}
	}
	p.blank()
	writeDoctorSummary(p, e)
	p.flush()
}

// levelMark is a level as one character.
func levelMark(level doctor.Level) (string, tone) {
	switch level {
	case doctor.OK:
		return "✔", toneGood
	case doctor.Warning:
		return "!", toneWarn
	case doctor.Failure:
		return "✘", toneBad
	case doctor.Unchecked:
	}
	return "·", toneDim
}

// findingGroup is one finding on several hosts.
type findingGroup struct {
	doctor.Finding
	hosts []string
	// varies tells that the hosts' texts differ in numbers and names.
	varies bool
}

// numberPattern fits what differs from host to host where one thing is wrong.
var numberPattern = regexp.MustCompile(`\d+(\.\d+)?( (MiB|GiB|s)\b)?`)

// findingKey is equal for findings with one cause: it leaves out the host's name,
// addresses and numbers.
func findingKey(f doctor.Finding, name *regexp.Regexp) string {
	text := addressPattern.ReplaceAllString(f.Found+"\x00"+f.Next, "\x01")
	text = numberPattern.ReplaceAllString(name.ReplaceAllString(text, "\x02"), "\x03")
	return strings.Join([]string{f.Check, f.Subject, text}, "\x00")
}

// groupFindings joins the findings of a level by check, subject and cause.
func groupFindings(e doctor.Examination, level doctor.Level) []*findingGroup {
	var groups []*findingGroup
	byKey := map[string]*findingGroup{}
	for _, host := range e.Hosts {
		name := regexp.MustCompile(`\b` + regexp.QuoteMeta(strings.ToValidUTF8(host.Host, "?")) + `\b`)
		for _, f := range host.Findings {
			if f.Level != level {
				continue
			}
			key := findingKey(f, name)
			g := byKey[key]
			if g == nil {
				g = &findingGroup{Finding: f}
				byKey[key] = g
				groups = append(groups, g)
			}
			g.varies = g.varies || g.Finding != f
			if !slices.Contains(g.hosts, host.Host) {
				g.hosts = append(g.hosts, host.Host)
			}
		}
	}
	place := func(g *findingGroup) int { return slices.Index(doctor.Checks(), g.Check) }
	slices.SortStableFunc(groups, func(a, b *findingGroup) int { return place(a) - place(b) })
	return groups
}

// findingColumn is where the text of a finding begins.
const findingColumn = 10

func (g *findingGroup) write(p *page) {
	mark, tone := levelMark(g.Level)
	head := []span{{mark + " ", tone}, {pad(clean(g.Check), findingColumn-2), toneBold}, {hostNames(g.hosts), toneBold}}
	subject := ""
	if g.Subject != "" {
		subject = g.Subject + ": "
	}
	if g.Level == doctor.OK {
		p.line(0, findingColumn, append(head, span{"  " + subject + g.Found, toneDim})...)
		return
	}
	p.line(0, findingColumn, head...)
	for line := range strings.SplitSeq(subject+g.Found, "\n") {
		p.line(findingColumn, findingColumn+2, span{strings.TrimSpace(line), tonePlain})
	}
	arrow := "→ "
	for line := range strings.SplitSeq(g.Next, "\n") {
		if line != "" {
			p.line(findingColumn, findingColumn+2, span{arrow + line, toneNote})
			arrow = "  "
		}
	}
	if g.varies {
		p.line(findingColumn, findingColumn, span{"(in the words of " + g.hosts[0] + ")", toneDim})
	}
}

func writeDoctorSummary(p *page, e doctor.Examination) {
	summary := NewDoctorDocument(e).Summary
	parts := []span{{count(len(e.Hosts), "host") + ": ", toneBold}}
	add := func(n int, text string, tone tone) {
		if n == 0 {
			return
		}
		if len(parts) > 1 {
			parts = append(parts, span{", ", tonePlain})
		}
		parts = append(parts, span{fmt.Sprintf("%d %s", n, text), tone})
	}
	add(summary.Fine, "fine", toneGood)
	add(summary.Warnings, "with warnings only", toneWarn)
	add(summary.Failures, "with problems", toneBad)
	add(summary.Unreachable, "not reached", toneBad)
	p.line(0, 2, parts...)
}

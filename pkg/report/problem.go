package report

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"provision/pkg/converge"
	"provision/pkg/remote"
)

// problem is one cause of a failure, taken apart for printing.
type problem struct {
	host string // "" when the error names none
	// headline says what failed, without the host.
	headline string
	// more are further lines of the error's text.
	more []string
	// output are the last lines that the command on the host wrote.
	output []string
	hint   string
}

// leaf is an error that holds no list of others. Its prefix is what the errors
// around the list that it was in say.
type leaf struct {
	prefix string
	text   string
	err    error
}

// flatten takes multierrors and joined errors apart, through errors that wrap
// them.
func flatten(prefix string, err error) []leaf {
	if err == nil {
		return nil
	}
	if children := childrenOf(err); children != nil {
		var leaves []leaf
		for _, child := range children {
			leaves = append(leaves, flatten(prefix, child)...)
		}
		return leaves
	}
	text := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		if before, ok := strings.CutSuffix(text, inner.Error()); ok {
			if leaves := flatten(prefix+before, inner); len(leaves) > 1 {
				return leaves
			}
		}
	}
	return []leaf{{prefix, text, err}}
}

// childrenOf lists the errors of an error that is nothing but a list. One that
// says more than its children, as of fmt.Errorf with two %w, is not taken apart.
func childrenOf(err error) []error {
	switch list := err.(type) { //nolint:errorlint // taken apart level by level
	case *multierror.Error:
		return list.Errors
	case interface{ Unwrap() []error }:
		children := list.Unwrap()
		texts := make([]string, len(children))
		for i, child := range children {
			texts[i] = child.Error()
		}
		if strings.Join(texts, "\n") == err.Error() {
			return children
		}
	}
	return nil
}

// problemsOf takes an error apart. host is where it happened, "" when only the
// error may know.
func problemsOf(host string, err error) []problem {
	leaves := flatten("", err)
	problems := make([]problem, len(leaves))
	for i, l := range leaves {
		problems[i] = newProblem(host, l)
	}
	return problems
}

func newProblem(host string, l leaf) problem {
	p := problem{host: host}
	text := l.text
	var command *remote.CommandError
	if errors.As(l.err, &command) && strings.HasSuffix(text, command.Error()) {
		bare := *command
		bare.Stdout, bare.Stderr, bare.Hint = "", "", ""
		text = strings.TrimSuffix(text, command.Error()) + strings.TrimPrefix(bare.Error(), command.Host+": ")
		p.output, p.hint = outputLines(command), command.Hint
		if p.host == "" {
			p.host = command.Host
		}
	}
	if label, _, ok := strings.Cut(text, ": "); ok && p.host == "" && hostPattern.MatchString(label) {
		p.host = label
	}
	if p.host != "" {
		text = strings.TrimPrefix(text, p.host+": ")
	}
	lines := strings.Split(l.prefix+text, "\n")
	p.headline, p.more = lines[0], lines[1:]
	return p
}

// hostPattern fits the names of hosts, and neither a position in a file nor a
// phrase.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func outputLines(command *remote.CommandError) []string {
	output := command.Stderr
	if output == "" {
		output = command.Stdout
	}
	if output == "" {
		return nil
	}
	return strings.Split(output, "\n")
}

var (
	addressPattern = regexp.MustCompile(`(\b\d{1,3}(\.\d{1,3}){3}\b|\[[0-9a-fA-F:.%a-z]*:[0-9a-fA-F:.%a-z]*\])(:\d+)?`)
	// passingPattern fits what differs each time that a program fails the same
	// way: the times of journalctl, RFC 3339 and klog, process ids, durations.
	passingPattern = regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|` +
		`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,+:Z-]*|` +
		`\b[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+|` +
		`\[\d+\]|\b(?i:pid)[:=]? ?\d+|\b\d+(\.\d+)?(ms|µs|us|s)\b`)
)

// cause is equal for problems with one cause: it leaves out the host's name,
// addresses, and the times and process ids in what commands wrote.
func (p problem) cause() string {
	output := passingPattern.ReplaceAllString(strings.Join(p.output, "\n"), "\x00")
	text := strings.Join(append([]string{p.headline, p.hint, output}, p.more...), "\n")
	text = addressPattern.ReplaceAllString(text, "\x01")
	if p.host != "" {
		text = strings.ReplaceAll(text, p.host, "\x02")
	}
	return text
}

// sameText tells whether two problems read the same but for the host.
func (p problem) sameText(q problem) bool {
	return p.headline == q.headline && p.hint == q.hint && slices.Equal(p.more, q.more) && slices.Equal(p.output, q.output)
}

// problemGroup is one cause on several hosts.
type problemGroup struct {
	problem
	hosts []string
	// varies tells that the texts of the hosts differ in names, addresses and times.
	varies bool
}

// groupProblems joins problems with one cause, in the order of the first ones.
func groupProblems(problems []problem) []*problemGroup {
	var groups []*problemGroup
	byCause := map[string]*problemGroup{}
	for _, p := range problems {
		key := p.cause()
		g := byCause[key]
		if g == nil {
			g = &problemGroup{problem: p}
			byCause[key] = g
			groups = append(groups, g)
		}
		g.varies = g.varies || !g.sameText(p)
		if p.host != "" && !slices.Contains(g.hosts, p.host) {
			g.hosts = append(g.hosts, p.host)
		}
	}
	return groups
}

// write prints the group: one host before what failed there, several above it.
func (g *problemGroup) write(p *page, indent int, before ...span) {
	spans, below := before, indent
	switch {
	case len(g.hosts) == 1:
		spans = append(spans, span{g.hosts[0], toneBold}, span{": ", tonePlain})
	case len(g.hosts) > 1:
		p.line(indent, indent+2, append(spans, span{hostNames(g.hosts), toneBold})...)
		spans, below = nil, indent+2
	}
	p.line(below, indent+4, append(spans, span{g.headline, tonePlain})...)
	for _, line := range g.more {
		p.line(indent+4, indent+6, span{strings.TrimSpace(line), tonePlain})
	}
	for _, line := range g.output {
		p.verbatim(indent+4, span{line, toneDim})
	}
	if g.hint != "" {
		for line := range strings.SplitSeq(g.hint, "\n") {
			p.line(indent+4, indent+4, span{strings.TrimSpace(line), toneNote})
		}
	}
	if g.varies {
		p.line(indent+4, indent+4, span{"(in the words of " + g.host + ")", toneDim})
	}
}

// isBlocked tells whether a host only waited for others that failed.
func isBlocked(err error) bool {
	var blocked *converge.BlockedError
	return errors.As(err, &blocked)
}

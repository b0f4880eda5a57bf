package report

import (
	"io"
	"regexp"
)

// Errors writes an error for people: lists of errors flat, one cause on several
// hosts once, with what the command on the host wrote. It writes nothing of nil.
func Errors(w io.Writer, err error, style Style) {
	p := newPage(w, style)
	for _, g := range groupProblems(problemsOf("", err)) {
		var before []span
		if !positionPattern.MatchString(g.headline) {
			before = []span{{"error: ", toneBad}}
		}
		g.write(p, 0, before...)
	}
	p.flush()
}

// positionPattern fits file:line:column, which stays at the start of its line
// for editors to jump to.
var positionPattern = regexp.MustCompile(`^[^ ]+:\d+:\d+: `)

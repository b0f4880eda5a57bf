package inventory

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// source is what is remembered of the file while it is read: where each path
// stands, and every mistake.
type source struct {
	values map[string]position // where the value of a path begins
	keys   map[string]position // where its key begins
	bad    map[string]bool     // paths whose value could not be read
	within map[string]bool     // paths that hold one of those
	errs   Errors
	more   int // mistakes that are not in errs
}

// maxErrors is how many mistakes are shown; more of them are counted.
const maxErrors = 1000

type position struct{ line, column int }

func newSource() *source {
	return &source{values: map[string]position{}, keys: map[string]position{}, bad: map[string]bool{}, within: map[string]bool{}}
}

func positionOf(n *yaml.Node) position {
	return position{line: max(n.Line, 1), column: max(n.Column, 1)}
}

// fail reports a value that can't be read. What validation would say about it
// is noise from then on.
func (s *source) fail(at position, path, message, hint string) {
	s.distrust(path)
	s.report(at, path, message, hint)
}

// distrust marks a path whose value is not what the operator meant.
func (s *source) distrust(path string) {
	s.bad[path] = true
	for p := parent(path); p != "" && !s.within[p]; p = parent(p) {
		s.within[p] = true
	}
}

func (s *source) report(at position, path, message, hint string) {
	if s.full() {
		s.more++
		return
	}
	s.errs = append(s.errs, Error{Line: at.line, Column: at.column, Path: path, Message: message, Hint: hint})
}

// full tells that further mistakes are only counted.
func (s *source) full() bool { return len(s.errs) >= maxErrors }

// all are the mistakes in their order.
func (s *source) all(filename string) Errors {
	errs := s.errs.sort()
	if s.more > 0 {
		last := errs[len(errs)-1]
		errs = append(errs, Error{
			Line: last.Line, Column: last.Column, Path: root,
			Message: fmt.Sprintf("%d more mistakes are not shown", s.more), Hint: "correct these first",
		})
	}
	for i := range errs {
		errs[i].File = filename
	}
	return errs
}

// given tells whether the file has a value for the path.
func (s *source) given(path string) bool {
	_, ok := s.values[path]
	return ok
}

// place is where a path's value stands; where the nearest path that holds it
// does, when the file does not have it.
func (s *source) place(path string) position {
	for path != "" {
		if at, ok := s.values[path]; ok {
			return at
		}
		path = parent(path)
	}
	return s.values[root]
}

// unread tells whether the value of a path, of one that holds it or of one
// that it holds could not be read.
func (s *source) unread(path string) bool {
	if s.bad[root] {
		return true
	}
	for p := path; p != ""; p = parent(p) {
		if s.bad[p] {
			return true
		}
	}
	return s.within[path]
}

// root is the path of the whole file.
const root = "."

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join is the path of a key below another path.
func join(path, key string) string {
	if path == root {
		path = ""
	}
	switch {
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%s]", path, quote(key))
	case path == "":
		return key
	}
	return path + "." + key
}

// item is the path of a list's entry.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// parent is the path that holds another one; "" at the root.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return ""
}

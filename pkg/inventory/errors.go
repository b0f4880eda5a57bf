package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error is one mistake in an inventory file.
type Error struct {
	// File is the file's name as it was given.
	File string
	// Line and Column begin at 1; Column counts characters.
	Line, Column int
	// Path is the key, for example slaves[1].address; "." is the whole file.
	Path string
	// Message says what is wrong.
	Message string
	// Hint says what to write instead.
	Hint string
}

// Error is one line: file:line:column: path: message; hint.
func (e Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Path, e.Message)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return oneLine(s)
}

// Errors are all mistakes of an inventory file, in the order of their
// positions. Load and Parse return it, never empty.
type Errors []Error

// Error has one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a single Error.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i := range e {
		errs[i] = e[i]
	}
	return errs
}

// sort orders the errors by position. A mistake that aliases repeat is kept
// once.
func (e Errors) sort() Errors {
	slices.SortFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(e, func(a, b Error) bool {
		a.Path = b.Path
		return a == b
	})
}

// oneLine escapes what is not printable, so that a hostile name can neither
// break a line nor drive a terminal.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// quote shows a value of the file in a message, shortened when it is long.
func quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(s)
}

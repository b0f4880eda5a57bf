package inventory

import (
	"bytes"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

var (
	yamlErrorForm = regexp.MustCompile(`^yaml: (?:line \d+: )?(.*)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxError says where and why a text is not YAML. The parser's errors have
// no column, and a line that may be the one where the surrounding mapping
// begins; so the place is found as the end of the shortest beginning of the
// text that fails in the same way.
func syntaxError(data []byte, err error) (at position, message, hint string) {
	why := yamlReason(err)
	length := sort.Search(len(data), func(n int) bool { return yamlReason(parseAll(data[:n])) == why })
	at = positionAt(data, max(length-1, 0))
	if tab, ok := tabIndent(data, at); ok {
		return tab, "a tab can't indent YAML", "write spaces"
	}
	if m := unknownAnchor.FindStringSubmatch(why); m != nil {
		at.column = max(at.column-utf8.RuneCountInString(m[1]), 1) // back to the *
	}
	return at, "this is not YAML: " + why, syntaxHint(why)
}

// yamlReason is the parser's error without its prefix and line.
func yamlReason(err error) string {
	if err == nil {
		return ""
	}
	if m := yamlErrorForm.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return err.Error()
}

// parseAll reads all documents of a text and returns the first error.
func parseAll(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := nextDocument(decoder); err != nil {
			return err
		}
	}
}

func syntaxHint(why string) string {
	switch {
	case strings.Contains(why, "mapping values are not allowed"):
		return "indent the keys of one mapping equally, and quote a text that has a colon"
	case strings.Contains(why, "cannot start any token"):
		return "quote a text that begins with one of @ ` % , ] }"
	case strings.Contains(why, "unexpected end of stream"):
		return "close the quote that begins here"
	case strings.Contains(why, "unknown anchor"):
		return "define the anchor (&name) before its alias (*name)"
	}
	return "check indentation, brackets and quotes just before this"
}

// tabIndent finds the tab in the indentation of the line at, or of the one
// before it.
func tabIndent(data []byte, at position) (position, bool) {
	lines := bytes.Split(data, []byte("\n"))
	for line := at.line; line > 0 && line >= at.line-1; line-- {
		text := lines[line-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 {
			return position{line, i + 1}, true
		}
	}
	return position{}, false
}

// positionAt is the position of a byte.
func positionAt(data []byte, offset int) position {
	before := data[:offset]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return position{
		line:   bytes.Count(before, []byte("\n")) + 1,
		column: utf8.RuneCount(before[lineStart:]) + 1,
	}
}

// invalidUTF8 is the position of the first byte that is not UTF-8.
func invalidUTF8(data []byte) position {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return positionAt(data, i)
		}
		i += size
	}
	return position{1, 1}
}

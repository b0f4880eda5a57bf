package remote

import (
	"errors"
	"strings"
)

// errNUL is returned for an argument that no program can be given.
var errNUL = errors.New("contains a NUL byte, which no command line can carry")

// Quote returns arg as one word of a shell command line, whatever bytes it holds: the shell passes exactly arg on, and
// evaluates nothing in it. An arg with a NUL byte is an error, because execve(2) cannot pass it.
//
// The result is meant for POSIX shells (dash, bash, busybox ash, ksh, zsh) and fish, for which the bytes that it treats
// specially inside single quotes are put outside of them: the quote itself and the backslash; and the exclamation mark,
// for what csh can take. csh takes no line break inside quotes, and so no script: it is no login shell for provision.
func Quote(arg string) (string, error) {
	if strings.IndexByte(arg, 0) >= 0 {
		return "", errNUL
	}
	if isPlain(arg) {
		return arg, nil
	}
	var b strings.Builder
	b.Grow(len(arg) + 8)
	b.WriteByte('\'')
	for i := range len(arg) {
		switch c := arg[i]; c {
		case '\'', '\\', '!':
			b.WriteString(`'\`)
			b.WriteByte(c)
			b.WriteByte('\'')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String(), nil
}

// isPlain tells whether every shell reads arg as the word it is, without quotes.
func isPlain(arg string) bool {
	for i := range len(arg) {
		c := arg[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_-./:,+", c) >= 0:
		default:
			return false
		}
	}
	return arg != ""
}

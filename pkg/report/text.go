package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// clean makes text fit for a terminal: what could move the cursor, change
// colours, reorder text or break the line is shown as an escape, as in \x1b.
func clean(text string) string {
	if !strings.ContainsFunc(text, unprintable) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\t':
			b.WriteString("    ")
		case unprintable(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// unprintable tells of characters that are not simply shown: controls, format
// characters such as the bidirectional overrides, separators but the space.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// columns is how many columns of a terminal clean text takes.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// pad fills clean text up to a number of columns.
func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(0, to-columns(text)))
}

// padLeft moves clean text to the right of a number of columns.
func padLeft(text string, to int) string {
	return strings.Repeat(" ", max(0, to-columns(text))) + text
}

// cut shortens clean text to a number of columns; the last one then shows that
// something is missing.
func cut(text string, to int) string {
	if columns(text) <= to {
		return text
	}
	n := 0
	for i, r := range text {
		n += runeColumns(r)
		if n >= to { // leaves a column for the ellipsis
			if to <= 0 {
				return ""
			}
			return text[:i] + "…"
		}
	}
	return text
}

// seconds writes a duration as in 3.2s.
func seconds(s float64) string { return fmt.Sprintf("%.1fs", s) }

// elapsed writes a duration as in 3.2s.
func elapsed(d time.Duration) string { return seconds(d.Seconds()) }

// megabytes writes a size as in 284.1 MB; a megabyte is 10^6 bytes.
func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// count writes a number with its noun: 1 host, 2 hosts.
func count(n int, noun string) string {
	if n != 1 {
		noun = plural(noun)
	}
	return strconv.Itoa(n) + " " + noun
}

func plural(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") {
		return stem + "ies"
	}
	return noun + "s"
}

package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean_ShowsWhatCouldDriveATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain → text":           "plain → text",
		"\x1b[31mred":            `\x1b[31mred`,
		"\x1b]0;title\a":         `\x1b]0;title\a`,
		"a\rb\bc\nd":             `a\rb\bc\nd`,
		"c1 \u009b2J":            `c1 \u009b2J`,
		"bad \xff\x9b utf8":      `bad \xff\x9b utf8`,
		"bidi \u202eevil\u2066":  `bidi \u202eevil\u2066`,
		"line\u2028break\u200b.": `line\u2028break\u200b.`,
		"a\tb":                   "a    b",
		"del\x7f":                `del\x7f`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, in string) {
		got := clean(in)
		if strings.ContainsFunc(got, unprintable) || !utf8.ValidString(got) {
			t.Errorf("clean(%q) = %q", in, got)
		}
		if clean(got) != got {
			t.Errorf("clean is not stable on %q", in)
		}
	})
}

func TestColumns_CountsWideAndCombiningCharacters(t *testing.T) {
	for in, want := range map[string]int{"abc": 3, "→…█": 3, "漢字": 4, "e\u0301": 1, "": 0} {
		if got := columns(in); got != want {
			t.Errorf("columns(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestCut_KeepsWithinColumns(t *testing.T) {
	for _, in := range []string{"abcdef", "漢字漢字", "a漢b字", "e\u0301e\u0301e\u0301x"} {
		for to := range 9 {
			got := cut(in, to)
			if columns(got) > to {
				t.Errorf("cut(%q, %d) = %q, %d columns", in, to, got, columns(got))
			}
			if columns(in) <= to && got != in {
				t.Errorf("cut(%q, %d) = %q, want it whole", in, to, got)
			}
		}
	}
}

func TestPage_WrapsBetweenWords(t *testing.T) {
	var out strings.Builder
	p := newPage(&out, Style{Width: 20})
	p.line(2, 4, span{"one two three four five six", tonePlain})
	p.line(0, 2, span{"short /a/path/that/is/longer/than/the/line end", tonePlain})
	p.flush()
	want := "  one two three four\n    five six\nshort\n  /a/path/that/is/longer/than/the/line\n  end\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestPage_VerbatimLosesNothing(t *testing.T) {
	const line = "+    key: averyveryverylongvaluewithoutanyspace and more"
	var out strings.Builder
	p := newPage(&out, Style{Width: 24})
	p.verbatim(6, span{line, tonePlain})
	p.flush()
	if got, want := strings.Join(strings.Fields(out.String()), ""), strings.Join(strings.Fields(line), ""); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for l := range strings.Lines(out.String()) {
		if columns(strings.TrimSuffix(l, "\n")) > 24 {
			t.Errorf("too wide: %q", l)
		}
	}
}

func TestPage_ColoursEndOnEveryLine(t *testing.T) {
	var out strings.Builder
	p := newPage(&out, Style{Width: 12, Colour: true})
	p.line(0, 2, span{"red words that go on", toneBad})
	p.flush()
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, ansiReset+"\n") {
			t.Errorf("colour runs on: %q", line)
		}
	}
}

func TestHostNames_JoinsRanges(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		want  string
	}{
		{[]string{"master"}, "master"},
		{[]string{"slave1", "slave2"}, "slave1, slave2"},
		{[]string{"master", "slave8", "slave9", "slave10", "slave12"}, "master, slave8..slave10, slave12"},
		{[]string{"n01", "n02", "n03", "n4"}, "n01..n03, n4"},
		{[]string{"n09", "n10", "n11"}, "n09..n11"},
		{[]string{"n9", "n010", "n11"}, "n9, n010, n11"},
		{[]string{"a1", "b2", "c3"}, "a1, b2, c3"},
		{[]string{"x99999999999999999999", "x1"}, "x99999999999999999999, x1"},
		{nil, ""},
	} {
		if got := hostNames(c.hosts); got != c.want {
			t.Errorf("hostNames(%v) = %q, want %q", c.hosts, got, c.want)
		}
	}
}

func TestDetectStyle_PlainUnlessATerminalForPeople(t *testing.T) {
	env := func(name string) func(string) string {
		return func(asked string) string {
			switch {
			case asked != name:
				return ""
			case asked == "TERM":
				return "dumb"
			}
			return "1"
		}
	}
	if got, want := detectStyle(100, env("")), (Style{Width: 100, Colour: true, Live: true}); got != want {
		t.Errorf("terminal: %+v, want %+v", got, want)
	}
	for _, name := range []string{"NO_COLOR", "CI", "TERM"} {
		if got, want := detectStyle(100, env(name)), (Style{Width: 100}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got := DetectStyle(&strings.Builder{}); got != (Style{}) {
		t.Errorf("no file: %+v", got)
	}
}

package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// environment reads a file as EnvironmentFile= of systemd.exec(5) does: a '\'
// in double quotes escapes one of "\`$, joins lines at a line end, and stays
// before anything else; line ends in quotes are kept. The tests insist on double
// quotes around every value, so that no other state is needed.
func environment(text string) (map[string]string, error) {
	variables := map[string]string{}
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if line == "" || line[0] == '#' || line[0] == ';' {
			if strings.HasSuffix(line, `\`) {
				return nil, fmt.Errorf("comment %q would swallow the next line", line)
			}
			text = rest
			continue
		}
		name, quotedValue, ok := strings.Cut(text, `="`)
		if !ok || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return nil, fmt.Errorf("%q is no assignment", line)
		}
		value, after, err := unquote(quotedValue)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, again := variables[name]; again {
			return nil, fmt.Errorf("%s is set twice", name)
		}
		variables[name], text = value, after
	}
	return variables, nil
}

// unquote reads up to the quote that ends a value, and the line's end.
func unquote(text string) (value, rest string, err error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			rest, ended := strings.CutPrefix(text[i+1:], "\n")
			if !ended && rest != "" {
				return "", "", fmt.Errorf("%q stands behind the value", rest)
			}
			return out.String(), rest, nil
		case '\\':
			i++
			switch {
			case i == len(text):
			case strings.IndexByte("\"\\`$", text[i]) >= 0:
				out.WriteByte(text[i])
			case text[i] != '\n':
				out.Write([]byte{'\\', text[i]})
			}
		default:
			out.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("the value has no end")
}

// split is how systemd puts $VARIABLE into a command line, where that is a word
// of its own (systemd.service(5)): at white space, quotes group and go away,
// a '\' goes away before any character, within quotes of either kind too.
func split(value string) []string {
	var words []string
	var word []byte
	inWord, quote := false, byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\':
			if i++; i < len(value) {
				word, inWord = append(word, value[i]), true
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && strings.IndexByte(" \t\n\r", c) >= 0:
			if inWord {
				words = append(words, string(word))
			}
			word, inWord = nil, false
		default:
			word, inWord = append(word, c), true
		}
	}
	if inWord {
		words = append(words, string(word))
	}
	return words
}

// The parsers above, held to what systemd's own documentation and sources say.
func TestSystemdParser_ReadsAsSystemdDoes(t *testing.T) {
	got, err := environment("# a\nA=\"x \\\"y\\\" \\$z \\a\\\n  b\"\n\nB=\"\"\n")
	if want := (map[string]string{"A": `x "y" $z \a  b`, "B": ""}); err != nil || !maps.Equal(got, want) {
		t.Errorf("read %q, %v", got, err)
	}
	words := split(` --a=1  "--b=x \"y\" z" '--c=\'' "" e\ f `)
	if want := []string{"--a=1", `--b=x "y" z`, "--c='", "", "e f"}; !slices.Equal(words, want) {
		t.Errorf("split into %q", words)
	}
}

// hostile are values that mean something to a shell, YAML, TOML or systemd.
func hostile() []string {
	return []string{
		"", " ", "a b", "a  b", "\ta", `"`, `'`, `a"b'c`, `\`, `\\`, `\"`, `\n`, `a\`, "`id`", "$HOME", "${HOME}", "$(reboot)", "$$", "%n", "%%",
		"a\nb", "\n", "a\\\nb", "x\nKUBE_X=\"y\"", "#", "a # b", ";", "a;b", "--", "-rf", "--other=1", "=", "a=b", "{{ .Host }}", "{a: b}", "[a]",
		"a: b", "- a", "null", "~", "true", "no", "on", "y", "1", "0x10", "1e3", "1_000", "1:30", ".5", "0o7", "2001-01-01", "&a", "*a", "!!str", "|", ">", "@a", "%a",
		"ä ö", "日本", "🙂", "\u00a0", "\u2028", "'''", `"""`, "trailing ", "<<", "?", ",", "]", "}",
	}
}

func TestSysconfig_SystemdReadsBackEveryFlag(t *testing.T) {
	var flags []string
	for _, value := range hostile() {
		flags = append(flags, "--flag="+value)
	}
	checkFlagsReadBack(t, flags)
	for _, flag := range flags {
		checkFlagsReadBack(t, []string{flag})
		checkFlagsReadBack(t, []string{"--a=1", flag, "--z=2"})
	}
	checkFlagsReadBack(t, nil)
}

func checkFlagsReadBack(t *testing.T, flags []string) {
	t.Helper()
	text, err := sysconfig(flags)
	if err != nil {
		t.Fatal(err)
	}
	variables, err := environment("A=" + text + "\nB=\"end\"\n")
	if err != nil || variables["B"] != "end" || len(variables) != 2 {
		t.Errorf("%q is written as %s, and read as %q, %v", flags, text, variables, err)
	} else if got := split(variables["A"]); !slices.Equal(got, flags) {
		t.Errorf("%q is written as %s, and read as %q", flags, text, got)
	}
}

func TestSysconfig_SystemdReadsBackEveryValue(t *testing.T) {
	for _, value := range hostile() {
		checkValueReadsBack(t, value)
	}
}

func checkValueReadsBack(t *testing.T, value string) {
	t.Helper()
	text, err := sysconfig(value)
	if err != nil {
		t.Fatal(err)
	}
	variables, err := environment("A=" + text + "\nB=\"end\"\n")
	if err != nil || variables["A"] != value || variables["B"] != "end" {
		t.Errorf("%q is written as %s, and read as %q, %v", value, text, variables, err)
	}
}

func FuzzSysconfig(f *testing.F) {
	for _, value := range hostile() {
		f.Add(value, value)
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		if _, err := sysconfig([]string{one, other}); err != nil {
			return
		}
		checkFlagsReadBack(t, []string{"--one=" + one, "--other=" + other})
		checkValueReadsBack(t, one)
	})
}

func TestSysconfig_WhatSystemdWouldDropIsAnError(t *testing.T) {
	for _, value := range []string{"a\x00", "\x1b[2J", "a\rb", "\x7f", "\xff"} {
		if text, err := sysconfig(value); err == nil {
			t.Errorf("%q is written as %s", value, text)
		}
	}
}

package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Flags are a program's command-line flags: a template's defaults, each of
// which extraArgs may override or remove, and the extraArgs that no default
// names.
type Flags struct {
	extra map[string]*string
	taken map[string]bool
}

func newFlags(extra map[string]*string) *Flags {
	return &Flags{extra: extra, taken: map[string]bool{}}
}

// value is a flag's value after extraArgs, and whether the flag is there.
func (f *Flags) value(name, byDefault string) (string, bool) {
	f.taken[name] = true
	override, overridden := f.extra[name]
	switch {
	case !overridden:
		return byDefault, true
	case override == nil:
		return "", false
	}
	return *override, true
}

// Value is a flag's value alone. byDefault is also what the program takes where
// extraArgs removes the flag.
func (f *Flags) Value(name, byDefault string) string {
	if value, ok := f.value(name, byDefault); ok {
		return value
	}
	return byDefault
}

// Take is one flag, "--name=value", as a list like Rest's: empty when extraArgs
// removes it.
func (f *Flags) Take(name string, byDefault any) []string {
	value, ok := f.value(name, fmt.Sprint(byDefault))
	if !ok {
		return nil
	}
	return []string{"--" + name + "=" + value}
}

// Rest is every flag of defaults ("name=value"), in that order, and then the
// extraArgs that nothing took, sorted.
func (f *Flags) Rest(defaults ...string) []string {
	var flags []string
	for _, pair := range f.pairs(defaults) {
		flags = append(flags, "--"+pair[0]+"="+pair[1])
	}
	return flags
}

// Variables is the same as lines of an environment file, for programs that
// read their flags from variables: a prefix and the flag's name in upper case.
func (f *Flags) Variables(prefix string, defaults ...string) (string, error) {
	var lines []string
	for _, pair := range f.pairs(defaults) {
		name := prefix + strings.ToUpper(strings.ReplaceAll(pair[0], "-", "_"))
		value, err := sysconfig(pair[1])
		if err != nil {
			return "", fmt.Errorf("%s: %w", pair[0], err)
		}
		lines = append(lines, name+"="+value)
	}
	return strings.Join(lines, "\n"), nil
}

func (f *Flags) pairs(defaults []string) [][2]string {
	var pairs [][2]string
	for _, text := range defaults {
		name, byDefault, _ := strings.Cut(text, "=")
		if value, ok := f.value(name, byDefault); ok {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.extra)) {
		if value := f.extra[name]; !f.taken[name] && value != nil {
			pairs = append(pairs, [2]string{name, *value})
		}
	}
	return pairs
}

// sysconfig writes a value, or flags, as the value of a variable in a file that
// systemd reads (systemd.exec(5), EnvironmentFile=): in double quotes, each
// flag on a line of its own. A flag that systemd would split when it puts the
// variable into a command line ($VARIABLE in systemd.service(5)) is quoted
// once more inside. A value that systemd would drop is an error.
func sysconfig(value any) (string, error) {
	var words []string
	switch value := value.(type) {
	case []string:
		for _, flag := range value {
			words = append(words, quoteFlag(flag))
		}
	default:
		words = []string{fmt.Sprint(value)}
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`)
	for i, word := range words {
		if !utf8.ValidString(word) || strings.ContainsFunc(word, isDropped) {
			return "", fmt.Errorf("%q holds control characters, which systemd does not put into the environment", word)
		}
		words[i] = escape.Replace(word)
	}
	return `"` + strings.Join(words, " \\\n  ") + `"`, nil
}

// isDropped tells whether systemd drops a variable for a character in its value
// (env_value_is_valid in its src/basic/env-util.c).
func isDropped(r rune) bool { return (r < ' ' && r != '\t' && r != '\n') || r == 0x7f }

func quoteFlag(flag string) string {
	if !strings.ContainsAny(flag, " \t\n\"'\\") {
		return flag
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(flag) + `"`
}

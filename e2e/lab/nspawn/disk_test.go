package nspawn

import (
	"testing"
)

func TestEditHosts(t *testing.T) {
	guest := exampleState().Hosts[0]
	line := hostsLine(guest)
	for what, test := range map[string]struct {
		text    string
		leaving bool
		want    string
	}{
		"comes":                    {"127.0.0.1\tlocalhost\n", false, "127.0.0.1\tlocalhost\n" + line},
		"comes to an empty file":   {"", false, line},
		"comes after no newline":   {"1.2.3.4 x", false, "1.2.3.4 x\n" + line},
		"is there already":         {line, false, line},
		"leaves":                   {"a b\n" + line + "c d\n", true, "a b\nc d\n"},
		"leaves but was not there": {"a b\n", true, "a b\n"},
	} {
		if got := editHosts(test.text, guest, test.leaving); got != test.want {
			t.Errorf("%s: got %q, want %q", what, got, test.want)
		}
	}
}

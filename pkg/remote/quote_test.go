package remote_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"testing/quick"

	"provision/pkg/remote"
)

// shells are the POSIX shells that a host may have, and two others.
func shells() [][]string {
	return [][]string{{"dash"}, {"bash", "--posix"}, {"bash"}, {"busybox", "ash"}, {"ksh"}, {"mksh"}, {"zsh"}, {"fish"}}
}

// forEachShell runs check with those of the shells that this machine has.
func forEachShell(t *testing.T, check func(t *testing.T, shell []string)) {
	t.Helper()
	for _, shell := range shells() {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skipf("%s is not installed", shell[0])
			}
			check(t, shell)
		})
	}
}

func TestQuote_ShellsPassEveryByteOn(t *testing.T) {
	var all []byte
	for c := 1; c < 256; c++ {
		all = append(all, byte(c), '\\', byte(c), '\'', byte(c), '\n', byte(c), '!')
	}
	forEachShell(t, func(t *testing.T, shell []string) {
		args := []string{"", "plain", "-n", string(all), "$(echo pwned)", "`echo pwned`", "'; echo pwned; '", "a\nb\n", strings.Repeat("'", 1000)}
		if got := echo(t, shell, args); got != strings.Join(args, "\x00")+"\x00" {
			t.Errorf("got %q", got)
		}
	})
}

func TestQuote_ShellsPassRandomArgumentsOn(t *testing.T) {
	forEachShell(t, func(t *testing.T, shell []string) {
		same := func(args [8][]byte) bool {
			words := make([]string, len(args))
			for i, arg := range args {
				words[i] = string(bytes.ReplaceAll(arg, []byte{0}, []byte{'\''}))
			}
			return echo(t, shell, words) == strings.Join(words, "\x00")+"\x00"
		}
		if err := quick.Check(same, &quick.Config{MaxCount: 25}); err != nil {
			t.Error(err)
		}
	})
}

func TestQuote_NULIsAnError(t *testing.T) {
	if quoted, err := remote.Quote("a\x00b"); err == nil {
		t.Errorf("got %q", quoted)
	}
}

func TestQuote_LeavesPlainWordsAlone(t *testing.T) {
	for _, word := range []string{"systemctl", "/etc/kubernetes/kubelet", "a.b-c_d:e,f+g"} {
		if quoted, err := remote.Quote(word); err != nil || quoted != word {
			t.Errorf("got %q, %v", quoted, err)
		}
	}
}

// echo lets shell run a printf of args, each followed by NUL.
func echo(t *testing.T, shell, args []string) string {
	t.Helper()
	line := `/usr/bin/printf '%s\0'`
	for _, arg := range args {
		word, err := remote.Quote(arg)
		if err != nil {
			t.Fatal(err)
		}
		line += " " + word
	}
	out, err := exec.CommandContext(t.Context(), shell[0], append(shell[1:], "-c", line)...).Output()
	if err != nil {
		t.Fatalf("%v: %v", shell, err)
	}
	return string(out)
}

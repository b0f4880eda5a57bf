package main

import (
	"bytes"
	"strings"
	"testing"

	"provision/e2e/lab/nspawn"
)

// call runs the program and returns its exit status and what it wrote.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestRun_MistakesAreNamed(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"frob", `unknown command "frob"`},
		{"reboot", "name one host"},
		{"reboot a b", "name one host"},
		{"ssh", "name one host"},
		{"status -o yaml", "there are table and json"},
		{"up --subnet nonsense", "--subnet"},
		{"up --name Bad_Name", "lower-case"},
		{"up --name x --hosts a,a", "two hosts are named a"},
		{"up --name x --hosts a:fedora", "unknown flavour"},
		{"up --name x --subnet 10.1.1.0/24", "198.18.0.0/16"},
	} {
		status, _, stderr := call(t, strings.Fields(test.args)...)
		if status != 1 {
			t.Errorf("%s: exit status %d", test.args, status)
		}
		// Whoever is not root is told only that.
		if !strings.Contains(stderr, test.want) && !strings.Contains(stderr, "needs root") {
			t.Errorf("%s: got %q, want %q in it", test.args, stderr, test.want)
		}
	}
}

func TestRun_HelpNamesEveryCommand(t *testing.T) {
	status, stdout, _ := call(t)
	if status != 0 {
		t.Fatalf("exit status %d", status)
	}
	for _, name := range []string{"up", "down", "status", "ssh", "exec", "add", "reboot", "freeze", "thaw", "cut", "heal", "poweroff", "start", "destroy"} {
		if !strings.Contains(stdout, "\n  "+name+" ") {
			t.Errorf("help lacks %s:\n%s", name, stdout)
		}
	}
}

func TestParseHost(t *testing.T) {
	for text, want := range map[string]nspawn.HostSpec{
		"a":      {Name: "a"},
		"a:lean": {Name: "a", Flavour: nspawn.Lean},
		":lean":  {Flavour: nspawn.Lean},
	} {
		if got := parseHost(text); got != want {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

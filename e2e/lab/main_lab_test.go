//go:build lab

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"provision/e2e/lab/nspawn"
)

func TestRun_LifeOfALab(t *testing.T) {
	name := fmt.Sprintf("cli%d", os.Getpid())
	t.Cleanup(func() { call(t, "down", "--name", name) })
	status, stdout, stderr := call(t, "up", "--name", name, "--hosts", "a,b:lean")
	if status != 0 || !strings.Contains(stdout, "ssh -F /run/provision-lab/"+name+"/ssh_config a") {
		t.Fatalf("up: %d\n%s%s", status, stdout, stderr)
	}
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"up --name NAME", 1, "already up"},
		{"ssh --name NAME a -- hostname", 0, "a\n"},
		{"ssh --name NAME a -- exit 7", 7, ""},
		{"ssh --name NAME nobody", 1, `no host "nobody"; it has a, b`},
		{"freeze --name NAME b", 0, "b is frozen"},
		{"status --name NAME", 0, "frozen"},
		{"thaw --name NAME b", 0, "b goes on"},
		{"cut --name NAME b", 0, "b is cut off"},
		{"exec --name NAME b -- hostname", 0, "b\n"},
		{"heal --name NAME b", 0, "b is connected"},
		{"poweroff --name NAME b", 0, "b is off"},
		{"thaw --name NAME b", 1, "powered off"},
		{"start --name NAME b", 0, "b has booted"},
		{"reboot --name NAME b", 0, "b has rebooted"},
		{"add --name NAME c", 0, "c  198.18."},
		{"destroy --name NAME b", 0, "b is destroyed"},
	} {
		status, stdout, stderr := call(t, strings.Fields(strings.ReplaceAll(test.args, "NAME", name))...)
		if status != test.status || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("%s: status %d, want %d; got %q, want %q in it", test.args, status, test.status, stdout+stderr, test.want)
		}
	}
	wantHosts(t, name, "a", "c")
	for _, want := range []string{"is down", "not up: nothing to take down"} {
		status, _, stderr := call(t, "down", "--name", name)
		if status != 0 || !strings.Contains(stderr, want) {
			t.Errorf("down: status %d, got %q, want %q in it", status, stderr, want)
		}
	}
}

func wantHosts(t *testing.T, lab string, want ...string) {
	t.Helper()
	_, stdout, _ := call(t, "status", "--name", lab, "-o", "json")
	var labs []labStatus
	if err := json.Unmarshal([]byte(stdout), &labs); err != nil || len(labs) != 1 {
		t.Fatalf("status: %v in %s", err, stdout)
	}
	var got []string
	for _, host := range labs[0].Hosts {
		got = append(got, host.Name)
		if host.Status != nspawn.Running {
			t.Errorf("%s is %s", host.Name, host.Status)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("hosts are %q, want %q", got, want)
	}
}

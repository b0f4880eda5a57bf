package nspawn

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"provision/e2e/lab/internal/proc"
)

func exampleState() *state {
	return &state{
		Version: stateVersion, Name: "demo", Subnet: subnetOf(100), Boot: "b",
		Hosts: []hostState{
			{Name: "master", Flavour: Debian, Addr: netip.MustParseAddr("198.18.100.11"), Keys: []string{"ssh-ed25519 AAAA"}},
			{Name: "slave", Flavour: Lean, Addr: netip.MustParseAddr("198.18.100.250")},
		},
	}
}

func TestParseState_ReadsWhatIsWritten(t *testing.T) {
	want := exampleState()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseState(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(text) {
		t.Fatalf("got %s, want %s", again, text)
	}
}

func TestParseState_RefusesWhatItCannotAnswerFor(t *testing.T) {
	for what, text := range map[string]string{
		"garbage":        "{",
		"a newer format": `{"version":2,"name":"x","subnet":"198.18.1.0/24"}`,
		"no subnet":      `{"version":1,"name":"x"}`,
		"foreign subnet": `{"version":1,"name":"x","subnet":"10.0.0.0/8"}`,
	} {
		if _, err := parseState([]byte(text)); err == nil {
			t.Errorf("%s was read", what)
		}
	}
}

func TestAbandoned(t *testing.T) {
	self, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	dead := self
	dead.Start++
	for what, test := range map[string]struct {
		owner *proc.Identity
		boot  string
		want  bool
	}{
		"living owner":                 {&self, self.Boot, false},
		"dead owner":                   {&dead, self.Boot, true},
		"no owner":                     {nil, self.Boot, false},
		"no owner, before a reboot":    {nil, "earlier", true},
		"living owner, other boot yet": {&self, "earlier", true},
	} {
		s := exampleState()
		s.Owner, s.Boot = test.owner, test.boot
		if got := s.abandoned(self.Boot); got != test.want {
			t.Errorf("%s: abandoned is %v", what, got)
		}
	}
}

func TestCable_FitsIntoALinkName(t *testing.T) {
	s := exampleState()
	for _, h := range s.Hosts {
		if name := s.cable(h); len(name) > 15 || !strings.HasPrefix(name, "vb-plab100-") {
			t.Errorf("%s: %q", h.Name, name)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "slave-1": true, strings.Repeat("x", 32): true,
		"": false, "-a": false, "a-": false, "A": false, "a.b": false, "a/b": false, "..": false, strings.Repeat("x", 33): false,
	} {
		if err := checkName("host", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLock_NameCannotMeetTheClaimLock(t *testing.T) {
	if labLock("lock") == claimLock || !strings.HasPrefix(labLock("demo"), "/run/provision-lab.demo.") {
		t.Fatal(labLock("demo"))
	}
}

func TestHostSpec_UnknownFlavourNamesTheKnown(t *testing.T) {
	err := HostSpec{Name: "a", Flavour: "fedora"}.check()
	if err == nil || !strings.Contains(err.Error(), "debian") || !strings.Contains(err.Error(), "lean") {
		t.Fatal(err)
	}
}

func TestPacketRules_LeaveHostToHostAlone(t *testing.T) {
	rules := exampleState().packetRules()
	if !strings.Contains(rules, "ip saddr 198.18.100.0/24 ip daddr != 198.18.100.0/24") {
		t.Fatal(rules)
	}
}

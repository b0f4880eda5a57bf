package remote

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/ssh"
)

// logIn finds the settings of a target with files of ssh_config.
func logIn(t *testing.T, target Target, files ...string) (login, error) {
	t.Helper()
	home := t.TempDir()
	var names []string
	for i, content := range files {
		name := filepath.Join(home, "config"+string(rune('0'+i)))
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	d := NewDialer(Options{Home: "/home/op", Configs: names})
	t.Cleanup(func() { _ = d.Close() })
	return d.login(target, Target{})
}

func TestSSHConfig_FillsWhatTheInventoryLeavesOpen(t *testing.T) {
	const config = `
Host 10.0.0.1
	User ops
	Port 2222
	IdentityFile ~/.ssh/%n
	CertificateFile "%d/cert"
	UserKnownHostsFile ~/known /more
	StrictHostKeyChecking accept-new
	ProxyJump bastion
	ConnectTimeout 3
	ServerAliveInterval 7
	ServerAliveCountMax 2
	IdentitiesOnly yes
	HostKeyAlgorithms ssh-ed25519,rsa-*
	HostName 203.0.113.7
`
	l, err := logIn(t, Target{Name: "node", Host: "10.0.0.1"}, config)
	if err != nil {
		t.Fatal(err)
	}
	want := login{
		Target: Target{
			Name: "node", Host: "10.0.0.1", Port: 2222, User: "ops", HostKeyPolicy: HostKeysAcceptNew, Jump: "bastion",
			ConnectTimeout: 3 * time.Second, CommandTimeout: 30 * time.Minute, KeepAlive: 7 * time.Second,
		},
		identityFiles: []string{"/home/op/.ssh/node"}, certificates: []string{"/home/op/cert"}, identitiesOnly: true,
		knownHosts: []string{"/home/op/known", "/more", systemKnownHosts}, keepAliveCount: 2,
		algorithms: []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01, ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	}
	if diff := cmp.Diff(want, l, cmp.AllowUnexported(login{}), cmpopts.IgnoreFields(login{}, "given")); diff != "" {
		t.Error(diff)
	}
	mine := Target{
		Name: "node", Host: "10.0.0.1", Port: 22, User: "me", IdentityFile: "/id", KnownHosts: "/known", HostKeyPolicy: HostKeysStrict,
		Jump: "none", ConnectTimeout: time.Second, CommandTimeout: time.Second, KeepAlive: time.Second,
	}
	l, err = logIn(t, mine, config)
	if err != nil {
		t.Fatal(err)
	}
	mine.Jump = ""
	if diff := cmp.Diff(mine, l.Target); diff != "" {
		t.Errorf("the inventory does not override: %s", diff)
	}
	if !slices.Equal(l.identityFiles, []string{"/id"}) || !l.identitiesOnly || l.knownHosts[0] != "/known" {
		t.Errorf("got %+v", l)
	}
}

func TestSSHConfig_WithoutItThereAreDefaults(t *testing.T) {
	l, err := logIn(t, Target{Host: "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	want := Target{
		Name: "10.0.0.1", Host: "10.0.0.1", Port: 22, User: "root", HostKeyPolicy: HostKeysStrict,
		ConnectTimeout: 10 * time.Second, CommandTimeout: 30 * time.Minute, KeepAlive: 5 * time.Second,
	}
	if diff := cmp.Diff(want, l.Target); diff != "" {
		t.Error(diff)
	}
}

func TestSSHConfig_WhichBlocksCount(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"by name":              {"Host node\n User a\n", "a"},
		"by address":           {"Host 10.0.0.?\n User a\n", "a"},
		"first wins":           {"Host 10.*\n User a\nHost *\n User b\n", "a"},
		"first in the file":    {"Host *\n User b\nHost node\n User a\n", "b"},
		"excluded by address":  {"Host * !10.0.0.1\n User a\n", "root"},
		"excluded by name":     {"Host 10.* !node\n User a\n", "root"},
		"another host":         {"Host other\n User a\n", "root"},
		"match host":           {"Match host node\n User a\n", "a"},
		"match all":            {"Match all\n User a\n", "a"},
		"a comment and equals": {"host=node\n  user = a # me\n", "a"},
		"keywords in any case": {"HOST node\nUSER a\n", "a"},
		"quoted pattern":       {"Host \"10.0.0.1\"\n User a\n", "a"},
		"final, as in Fedora":  {"Match final all\n User a\n", "a"},
		"final for a host":     {"Match final host other\n User a\n", "root"},
		"canonical":            {"Match canonical all\n User a\n", "root"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := logIn(t, Target{Name: "node", Host: "10.0.0.1"}, c.config)
			if err != nil || l.User != c.want {
				t.Errorf("got %q, %v, want %q", l.User, err, c.want)
			}
		})
	}
}

func TestSSHConfig_TheOperatorsFileCountsBeforeTheSystems(t *testing.T) {
	l, err := logIn(t, Target{Host: "h"}, "Host h\n User a\n", "Host *\n User b\n Port 2222\n")
	if err != nil || l.User != "a" || l.Port != 2222 {
		t.Errorf("got %+v, %v", l.Target, err)
	}
}

func TestSSHConfig_IncludedFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"address": "Host 10.*\n User a\nHost *\n User b\n", "negated": "Host * !node\n User a\n", "plain": "User a\n",
		"circle": "Include " + dir + "/circle\n", "more": "Include \"" + dir + "/plain\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for config, want := range map[string]string{
		"Include DIR/address\n":                                   "a",
		"Include DIR/address\nHost *\n User c\n":                  "a",
		"Include DIR/negated\nHost *\n User c\n":                  "c",
		"Host other\n Include DIR/plain\nHost *\n User c\n":       "c",
		"Host node\n Include DIR/plain\n Port 2\nHost *\n User c": "a",
		"include = DIR/no-such-file DIR/plain\n":                  "a",
		"Include DIR/mor*\n":                                      "a",
	} {
		l, err := logIn(t, Target{Name: "node", Host: "10.0.0.1"}, strings.ReplaceAll(config, "DIR", dir))
		if err != nil || l.User != want {
			t.Errorf("%q: got %q, %v, want %q", config, l.User, err, want)
		}
	}
	_, err := logIn(t, Target{Host: "h"}, "Include "+dir+"/circle\n")
	mentions(t, err, "include each other")
}

func TestSSHConfig_WhatCanNotBeDoneIsSaid(t *testing.T) {
	for want, config := range map[string]string{
		"Match Exec is not supported":   "Match exec \"true\"\n User a\n",
		"ssh.config in the inventory":   "Match user a\n User b\n",
		"@revoked lines":                "Host *\n RevokedHostKeys /etc/ssh/revoked\n",
		"does not run":                  "Host *\n ProxyCommand nc %h %p\n",
		`Port "x" of node`:              "Host *\n Port x\n",
		`ConnectTimeout "soon" of node`: "Host *\n ConnectTimeout soon\n",
	} {
		_, err := logIn(t, Target{Name: "node", Host: "10.0.0.1"}, config)
		mentions(t, err, want)
	}
	if _, err := logIn(t, Target{Name: "node", Host: "10.0.0.1", Config: "none"}, "Match exec true\n"); err != nil {
		t.Errorf("config: none reads a file: %v", err)
	}
	if _, err := logIn(t, Target{Name: "node", Host: "10.0.0.1", Jump: "none"}, "Host *\n ProxyCommand nc\n"); err != nil {
		t.Errorf("jump: none does not connect directly: %v", err)
	}
	_, err := logIn(t, Target{Host: "h", Config: "/no/such/file"})
	mentions(t, err, "/no/such/file")
}

func TestHostKeyAlgorithms_ListsAreApplied(t *testing.T) {
	all := slices.Concat(certificateAlgorithms(), plainAlgorithms())
	for text, want := range map[string][]string{
		"":                        nil,
		"+ssh-dss":                nil,
		"^ssh-rsa":                nil,
		"ssh-ed25519,ssh-unknown": {ssh.KeyAlgoED25519},
		"-*":                      nil,
		"-*cert*":                 plainAlgorithms(),
		"*":                       all,
	} {
		if got := hostKeyAlgorithms(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestParseJump_ReadsWhatProxyJumpAllows(t *testing.T) {
	for text, want := range map[string]Target{
		"bastion":                {Host: "bastion"},
		"ops@bastion:2222":       {Host: "bastion", User: "ops", Port: 2222},
		"ssh://ops@10.0.0.1:22/": {Host: "10.0.0.1", User: "ops", Port: 22},
		"[fd00::1]:22":           {Host: "fd00::1", Port: 22},
		" a ":                    {Host: "a"},
	} {
		if got, err := ParseJump(text); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "@", "a:0", "a:65536", "a:b", "-oProxyCommand=x", "ops:secret@a", "a/b", "a b", "a?b"} {
		if got, err := ParseJump(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

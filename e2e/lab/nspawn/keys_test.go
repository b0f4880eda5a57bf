package nspawn

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestMakeKeys_HalvesBelongTogether(t *testing.T) {
	host := hostState{Name: "a"}
	keys, err := host.makeKeys()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || len(host.Keys) != 2 {
		t.Fatalf("got %d keys and noted %d", len(keys), len(host.Keys))
	}
	for i, key := range keys {
		signer, err := ssh.ParsePrivateKey(key.private)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); got != host.Keys[i] {
			t.Errorf("%s: the private half is of %s, noted is %s", key.kind, got, host.Keys[i])
		}
	}
	if !strings.HasPrefix(host.Keys[0], "ssh-ed25519 ") || !strings.HasPrefix(host.Keys[1], "ecdsa-sha2-nistp256 ") {
		t.Fatalf("got %q", host.Keys)
	}
}

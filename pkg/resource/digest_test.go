package resource

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
)

func TestDigest_ChangesWithTheDeclaration(t *testing.T) {
	for _, tt := range []struct{ one, other Resource }{
		{file(), with(file(), func(f *File) { f.Path += "x" })},
		{file(), with(file(), func(f *File) { f.Content = nil })},
		{file(), with(file(), func(f *File) { f.Mode = "0600" })},
		{file(), with(file(), func(f *File) { f.Owner = "etcd" })},
		{Directory{Path: "/a"}, Directory{Path: "/a", Attributes: Attributes{Mode: "0700"}}},
		{artifact(), with(artifact(), func(a *Artifact) { a.Sum = sumB })},
		{artifact(), with(artifact(), func(a *Artifact) { a.Mode = "0700" })},
		{image(), with(image(), func(i *Image) { i.Sum = sumB })},
		{image(), with(image(), func(i *Image) { i.Tag = "x" })},
		{authority(), with(authority(), func(a *Authority) { a.CommonName = "x" })},
		{authority(), with(authority(), func(a *Authority) { a.KeyPath = "/x" })},
		{trust(), with(trust(), func(a *Trust) { a.Authority = "x" })},
		{trust(), with(trust(), func(a *Trust) { a.Mode = "0600" })},
		{certificate(), with(certificate(), func(c *Certificate) { c.Request.CommonName = "x" })},
		{certificate(), with(certificate(), func(c *Certificate) { c.Authority = "x" })},
		{certificate(), with(certificate(), func(c *Certificate) { c.KeyPath = "/x" })},
		{certificate(), with(certificate(), func(c *Certificate) { c.Owner = "x" })},
		{command(), with(command(), func(c *Command) { c.Expect = "x" })},
		{command(), with(command(), func(c *Command) { c.Input = "x" })},
		{command(), with(command(), func(c *Command) { c.Check = []string{"x"} })},
		{Command{Check: []string{"a", ""}, Do: []string{"b"}}, Command{Check: []string{"a"}, Do: []string{"", "b"}}},
		{Sysctl{Key: "vm.a", Value: "1"}, Sysctl{Key: "vm.a", Value: "2"}},
		{Package{Name: "a"}, Package{Name: "b"}},
		{Module{Name: "a"}, Module{Name: "b"}},
		{service(), with(service(), func(s *Service) { s.Stopped = true })},
		{Package{Name: "a"}, Module{Name: "a"}},
	} {
		if tt.one.Digest() == tt.other.Digest() {
			t.Errorf("the same digest for\n%+v\n%+v", tt.one, tt.other)
		}
	}
}

func TestDigest_StaysForWhatMakesNoDifference(t *testing.T) {
	for _, tt := range []struct{ one, other Resource }{
		{file(), with(file(), func(f *File) { f.Attributes = Attributes{Mode: "0644", Owner: "root", Group: "root"} })},
		{onceFile(), with(onceFile(), func(f *File) { f.Content = []byte("# another comment") })},
		{artifact(), with(artifact(), func(a *Artifact) { a.Mode = "0755" })},
		{artifact(), with(artifact(), func(a *Artifact) { a.Source = "etcd-v3" })},
		{certificate(), with(certificate(), func(c *Certificate) { c.Request.Usages = []pki.Usage{pki.Server, pki.Server} })},
		{service(), with(service(), func(s *Service) { s.Ready, s.Within = []string{"true"}, time.Second })},
		{command(), with(command(), func(c *Command) { c.Within = time.Second })},
	} {
		if tt.one.Digest() != tt.other.Digest() {
			t.Errorf("different digests for\n%+v\n%+v", tt.one, tt.other)
		}
	}
}

// A digest is part of a record that other runs, and other machines, compare.
func TestDigest_IsTheSameInEveryRun(t *testing.T) {
	const want = "33b664f019ec1df8aa9b162b5950b5b29019258ad68ed93d9b2a9bd189621e7e"
	if got := file().Digest(); got != want {
		t.Errorf("got %s", got)
	}
}

// What is secret travels to a host in operations, and never into a plan or a
// record.
func TestState_HoldsNoSecret(t *testing.T) {
	const password = "hunter2-hunter2"
	secret := File{Path: "/etc/secret", Content: []byte(password), Secret: true}
	for _, r := range []Resource{secret, onceFile(), authority(), certificate(), trust()} {
		v := seeing(map[string]FileFact{
			"/etc/secret":      {Type: "file", Content: []byte(password), Sum: sumA},
			"/pki/ca.key":      {Type: "file", Content: []byte("key of cluster"), Sum: sumA},
			"/pki/ca.crt":      {Type: "file", Sum: sumA},
			"/pki/kubelet.crt": {Type: "file", Sum: sumA},
		})
		fresh, err := r.Bring(seeing(nil), materials{})
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range []State{r.Want(v), r.Have(v), r.Want(seeing(nil)), fresh.Applied} {
			for _, attribute := range state {
				for _, content := range []string{password, "RANDOM", "key of", "key for", "cert of", "cert for"} {
					if hides(attribute.Value, content) {
						t.Errorf("%s: %s is %q", r.ID(), attribute.Name, attribute.Value)
					}
				}
			}
		}
		written := false
		for _, op := range fresh.Ops {
			written = written || op.Verb == "write"
		}
		if !written {
			t.Errorf("%s: nothing secret was written", r.ID())
		}
	}
}

// hides tells whether text holds content, plain or in base64.
func hides(text, content string) bool {
	decoded, _ := base64.StdEncoding.DecodeString(text)
	return strings.Contains(text, content) || bytes.Contains(decoded, []byte(content))
}

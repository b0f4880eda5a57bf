package resource

import (
	"strings"
	"testing"
	"time"
)

// with is a changed copy of a resource.
func with[R any](r R, change func(*R)) R {
	change(&r)
	return r
}

// all is one valid resource of each kind.
func all() []Resource {
	return []Resource{
		file(), onceFile(),
		Directory{Path: "/var/lib/etcd"},
		artifact(), image(), authority(), trust(), certificate(),
		service(), command(),
		Package{Name: "chrony"},
		Module{Name: "overlay"},
		Sysctl{Key: "vm.swappiness", Value: "0"},
	}
}

func TestValidate_GoodResourcesOfEveryKind(t *testing.T) {
	more := []Resource{
		Service{Unit: "getty@tty1.service", Stopped: true},
		Service{Unit: "swap.target", Stopped: true},
		Module{Name: "br_netfilter", Evidence: "/proc/sys/net/bridge"},
		Sysctl{Key: "net.ipv4.conf.eth0/1.rp_filter", Value: "1"},
		Package{Name: "g++"},
		with(image(), func(i *Image) { i.Repository = "a/b__c/d--e.f" }),
	}
	for _, r := range append(all(), more...) {
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
}

func TestValidate_Errors(t *testing.T) {
	tests := []struct {
		r    Resource
		want string
	}{
		{with(file(), func(f *File) { f.Path = "etc/x" }), `path "etc/x": must be absolute`},
		{with(file(), func(f *File) { f.Mode = "644" }), `mode "644": write four octal digits, as in 0644`},
		{with(file(), func(f *File) { f.Mode = "4755" }), `mode "4755"`},
		{with(file(), func(f *File) { f.Owner = "0" }), `account "0": not a user or group name`},
		{with(file(), func(f *File) { f.Group = "a b" }), `account "a b"`},
		{Directory{Path: "/"}, `path "/": must be absolute and below /`},
		{Directory{Path: "/a", Attributes: Attributes{Mode: "rwx"}}, `mode "rwx"`},
		{with(artifact(), func(a *Artifact) { a.Path = "/a/../b" }), `path "/a/../b": must not hold`},
		{with(artifact(), func(a *Artifact) { a.Source = "../etcd" }), `source "../etcd": want a file name`},
		{with(artifact(), func(a *Artifact) { a.Source = "" }), `source "": want a file name`},
		{with(artifact(), func(a *Artifact) { a.Sum = strings.ToUpper(sumA) }), "want 64 hex digits"},
		{with(artifact(), func(a *Artifact) { a.Mode = "x" }), `mode "x"`},
		{with(image(), func(i *Image) { i.Repository = "Pause" }), `repository "Pause": want lower-case words`},
		{with(image(), func(i *Image) { i.Repository = "a/../b" }), `repository "a/../b"`},
		{with(image(), func(i *Image) { i.Tag = "../x" }), `tag "../x": want letters`},
		{with(image(), func(i *Image) { i.Source = "" }), `source "": want a file name`},
		{with(image(), func(i *Image) { i.Sum = "x" }), `sum "x" of pause.tar`},
		{with(image(), func(i *Image) { i.Endpoint = "registry" }), `endpoint "registry": want the registry's address:port`},
		{with(image(), func(i *Image) { i.Storage = "registry" }), `path "registry"`},
		{with(authority(), func(a *Authority) { a.Name = "a\nb" }), `authority name "a\nb": want one word`},
		{with(authority(), func(a *Authority) { a.CommonName = "" }), "needs a commonName"},
		{with(authority(), func(a *Authority) { a.KeyPath = "" }), `path "": must be absolute`},
		{with(trust(), func(a *Trust) { a.Path = "ca.crt" }), `path "ca.crt"`},
		{with(trust(), func(a *Trust) { a.Mode = "1" }), `mode "1"`},
		{with(certificate(), func(c *Certificate) { c.CertPath = "a" }), `path "a"`},
		{with(certificate(), func(c *Certificate) { c.KeyPath = "b" }), `path "b"`},
		{with(certificate(), func(c *Certificate) { c.Owner = "!" }), `account "!"`},
		{with(certificate(), func(c *Certificate) { c.Request.Usages = nil }), "usages are empty"},
		{with(service(), func(s *Service) { s.Unit = "etcd" }), `unit "etcd": want a name with its type, as in etcd.service`},
		{with(service(), func(s *Service) { s.Unit = "-a.service" }), `unit "-a.service"`},
		{with(service(), func(s *Service) { s.Ready = []string{"true"} }), "set within, as in within: 60s"},
		{with(service(), func(s *Service) { s.Answers = "http://127.0.0.1/" }), "set within, as in within: 60s"},
		{with(service(), func(s *Service) { s.Ready, s.Within = []string{"a\nb"}, time.Second }), `argument "a\nb": must be one line`},
		{with(command(), func(c *Command) { c.Name = "a b" }), `command name "a b": want one word`},
		{with(command(), func(c *Command) { c.Name = "." }), `command name ".": want one word`},
		{with(command(), func(c *Command) { c.Name = `a\nend` }), `want one word`},
		{with(command(), func(c *Command) { c.Check = nil }), "needs both check and do"},
		{with(command(), func(c *Command) { c.Do = nil }), "needs both check and do"},
		{with(command(), func(c *Command) { c.Check = []string{"test", "-d", "."} }), `check can't have the argument ".": write ./`},
		{with(command(), func(c *Command) { c.Check = []string{"a\n"} }), `argument "a\n": must be one line`},
		{with(command(), func(c *Command) { c.Do = []string{"a\x00"} }), "must be one line"},
		{with(command(), func(c *Command) { c.Within = -1 }), "want a time above zero, or none"},
		{Package{Name: "-y"}, `package "-y": not a package name`},
		{Package{Name: ""}, `package ""`},
		{Module{Name: "a-b"}, `module "a-b"`},
		{Module{Name: "a", Evidence: "proc"}, `path "proc"`},
		{Sysctl{Key: "ip_forward", Value: "1"}, `key "ip_forward": want a name as in net.ipv4.ip_forward`},
		{Sysctl{Key: "net.//.//.//.etc", Value: "1"}, `path "/proc/sys/net/../../../etc"`},
		{Sysctl{Key: "vm.a"}, `value "" of vm.a: want one line`},
		{Sysctl{Key: "vm.a", Value: "1\n2"}, `value "1\n2" of vm.a: want one line`},
	}
	for _, tt := range tests {
		if err := tt.r.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want one that contains %q", tt.r.ID(), err, tt.want)
		}
	}
}

func TestHostValidate_ReportsEverythingAtOnce(t *testing.T) {
	host := Host{Name: "slave1", Stages: []Stage{
		{Name: "a", Resources: []Resource{file(), Package{Name: "-"}}},
		{Name: "b", Resources: []Resource{file(), Module{Name: "-"}}},
	}}
	var texts []string
	for _, err := range host.Validate() {
		texts = append(texts, err.Error())
	}
	want := []string{
		`slave1: package -: package "-": not a package name`,
		`slave1: file /etc/kubernetes/kubelet is declared twice`,
		`slave1: module -: module "-": want a name of lower-case letters, digits and '_'`,
	}
	if strings.Join(texts, "\n") != strings.Join(want, "\n") {
		t.Errorf("reports\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
}

func TestParseID_IsTheInverseOfString(t *testing.T) {
	for _, r := range all() {
		id, err := ParseID(r.ID().String())
		if err != nil || id != r.ID() {
			t.Errorf("%q is read as %v, %v", r.ID().String(), id, err)
		}
	}
	if id, err := ParseID("file /a b"); err != nil || id != (ID{"file", "/a b"}) {
		t.Errorf("a name with a space is read as %v, %v", id, err)
	}
}

func TestParseID_RefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "file", "file ", " /a", " "} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("%q is read as %v", text, id)
		}
	}
}

func TestValidatePath_Hostile(t *testing.T) {
	for _, path := range []string{
		"", "/", "a", "./a", "~/a", "/a/", "/a//b", "/a/./b", "/a/.", "/..", "/a/..", "/a/../b",
		"/a\nb", "/a\rb", "/a\x00b", "/a\x1b[2Jb", "/a\x7fb", `/a\b`, "/a\xffb",
	} {
		if validatePath(path) == nil {
			t.Errorf("%q is accepted", path)
		}
	}
	for _, path := range []string{"/a", "/a b", "/-rf", "/a/...", "/a/..b", "/$(reboot)", "/a'b", `/a"b`, "/ä/*", "/certs.d/1.2.3.4:5000/hosts.toml"} {
		if err := validatePath(path); err != nil {
			t.Error(err)
		}
	}
}

// Paths travel to hosts a line each, and come back in the lines of stat(1) and
// sha256sum(1), which writes backslashes and line ends in its own way.
func FuzzValidatePath(f *testing.F) {
	for _, path := range []string{"/a", "/a/../b", "/a\n/b", "/a\\nb", "/\xff", "//", "/a/.", "/é"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if validatePath(path) != nil {
			return
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\n\r\x00\\") || strings.ToValidUTF8(path, "") != path {
			t.Errorf("%q is accepted", path)
		}
		for part := range strings.SplitSeq(path[1:], "/") {
			if part == "" || part == "." || part == ".." {
				t.Errorf("%q is accepted", path)
			}
		}
		if id, err := ParseID(File{Path: path}.ID().String()); err != nil || id.Name != path {
			t.Errorf("%q comes back as %q, %v", path, id.Name, err)
		}
	})
}

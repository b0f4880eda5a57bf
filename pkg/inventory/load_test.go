package inventory

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// compare lets cmp look at addresses.
var compare = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

// parse reads a text, completed with the required keys, that is in /inv.
func parse(t *testing.T, text string) *Inventory {
	t.Helper()
	t.Setenv("HOME", "/home/op")
	inv, err := Parse("/inv/inventory.yaml", withRequired(text))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestParse_FillsDefaults(t *testing.T) {
	addr := netip.MustParseAddr
	ssh := SSH{CommandTimeout: 30 * time.Minute}
	host := func(address string) Host { return Host{Name: address, Address: addr(address), SSH: ssh} }
	want := &Inventory{
		Cluster:    "kubernetes",
		Master:     Hosts{host("10.25.31.44")},
		Slaves:     Hosts{host("10.25.31.45"), host("10.25.31.109")},
		Registry:   Registry{Host: host("10.25.31.102"), Port: 5000},
		SSH:        ssh,
		Kubernetes: Kubernetes{Version: Version{1, 36, 3, true}},
		Network: Network{
			Plugin: "flannel", PodCIDR: netip.MustParsePrefix("172.17.0.0/16"),
			Flannel: Flannel{Key: "/coreos.com/network", Backend: "vxlan", SubnetLength: 24},
		},
		Services:  Services{CIDR: netip.MustParsePrefix("10.254.0.0/16"), NodePorts: PortRange{30000, 32767}},
		DNS:       DNS{Domain: "cluster.local", Address: addr("10.254.0.10")},
		Artifacts: Artifacts{Dir: "/inv/artifacts"},
		Verify:    Verify{Port: 8080},
	}
	if diff := cmp.Diff(want, parse(t, ""), compare); diff != "" {
		t.Error(diff)
	}
}

func TestParse_NullIsNotGiven(t *testing.T) {
	empty := parse(t, "cluster:\nssh:\n  user: ~\n  port: null\nnetwork: {podCIDR: , flannel: }\ndns:\ntime: {servers: }\ncomponents: {kubelet: }\n")
	if diff := cmp.Diff(parse(t, ""), empty, compare); diff != "" {
		t.Error(diff)
	}
}

func TestParse_TakesEveryKey(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	inv := parse(t, `
cluster: test
ssh: {user: op, port: 2222, identityFile: id, knownHosts: /etc/known, connectTimeout: 1m30s}
kubernetes: {version: 1.35}
network:
  plugin: flannel
  podCIDR: 10.244.0.0/16
  flannel: {key: /k, backend: host-gw, subnetLength: 26, interface: eth1}
services: {cidr: 10.96.0.0/12, nodePorts: 31000}
dns: {domain: k8s.example.com, address: 10.96.0.53, upstream: [9.9.9.9, "9.9.9.9:5353"]}
time: {servers: [0.pool.ntp.org, NTP.example.com, 10.25.31.1, "2001:db8::1"]}
artifacts: {url: "https://mirror.example.com/k", sums: {kubelet: `+sum+`}}
verify: {image: "10.25.31.102:5000/tomcat8:v1", port: 80}
`)
	want := &Inventory{
		Cluster:    "test",
		SSH:        SSH{User: "op", Port: 2222, IdentityFile: "/inv/id", KnownHosts: "/etc/known", ConnectTimeout: 90 * time.Second, CommandTimeout: 30 * time.Minute},
		Kubernetes: Kubernetes{Version{Major: 1, Minor: 35}},
		Network:    Network{"flannel", netip.MustParsePrefix("10.244.0.0/16"), Flannel{"/k", "host-gw", 26, "eth1"}},
		Services:   Services{netip.MustParsePrefix("10.96.0.0/12"), PortRange{31000, 31000}},
		DNS:        DNS{"k8s.example.com", netip.MustParseAddr("10.96.0.53"), []string{"9.9.9.9", "9.9.9.9:5353"}},
		Time:       Time{[]string{"0.pool.ntp.org", "NTP.example.com", "10.25.31.1", "2001:db8::1"}},
		Artifacts:  Artifacts{URL: "https://mirror.example.com/k", Sums: map[string]string{"kubelet": sum}},
		Verify:     Verify{"10.25.31.102:5000/tomcat8:v1", 80},
	}
	hosts := cmpopts.IgnoreFields(Inventory{}, "Master", "Slaves", "Registry")
	if diff := cmp.Diff(want, inv, compare, hosts); diff != "" {
		t.Error(diff)
	}
}

func TestParse_HostsMayBeAddressesMappingsOrLists(t *testing.T) {
	forms := []string{
		"slaves: 10.25.31.45\n",
		"slaves: [10.25.31.45]\n",
		"slaves: {address: 10.25.31.45}\n",
		"slaves:\n  - address: 10.25.31.45\n    name: 10.25.31.45\n",
	}
	want := parse(t, forms[0]).Slaves
	if len(want) != 1 || want[0].Name != "10.25.31.45" {
		t.Fatalf("slaves are %v", want)
	}
	for _, form := range forms[1:] {
		if diff := cmp.Diff(want, parse(t, form).Slaves, compare); diff != "" {
			t.Errorf("%q: %s", form, diff)
		}
	}
}

func TestParse_DNSAddressFollowsTheServiceRange(t *testing.T) {
	inv := parse(t, "services: {cidr: 10.96.0.0/28}\n")
	if got := inv.DNS.Address.String(); got != "10.96.0.10" {
		t.Errorf("dns.address is %s", got)
	}
	if got := inv.APIServiceAddress().String(); got != "10.96.0.1" {
		t.Errorf("the API's address is %s", got)
	}
}

func TestParse_VersionIsReadAsWritten(t *testing.T) {
	for _, text := range []string{"1.34", "1.35", "1.37", "1.34.0", "1.36.10", `"1.36"`} {
		inv := parse(t, "kubernetes: {version: "+text+"}\n")
		if got := inv.Kubernetes.Version.String(); got != strings.Trim(text, `"`) {
			t.Errorf("version %s is read as %s", text, got)
		}
	}
}

func TestParse_RelativePathsStartAtTheInventorysFolder(t *testing.T) {
	inv := parse(t, `
ssh: {identityFile: keys/../id, knownHosts: ~/known}
slaves:
  - address: 10.25.31.45
    ssh: {identityFile: ./own, knownHosts: "/abs//known"}
artifacts: {dir: ../artifacts}
`)
	got := []string{inv.SSH.IdentityFile, inv.SSH.KnownHosts, inv.Slaves[0].SSH.IdentityFile, inv.Slaves[0].SSH.KnownHosts, inv.Artifacts.Dir}
	want := []string{"/inv/id", "/home/op/known", "/inv/own", "/abs/known", "/artifacts"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParse_UnknownHomeIsReported(t *testing.T) {
	t.Setenv("HOME", "")
	_, err := Parse("f", withRequired("ssh: {knownHosts: ~/known}\n"))
	if err == nil || !strings.Contains(err.Error(), "ssh.knownHosts: the home directory is not known") {
		t.Errorf("error is %v", err)
	}
}

func TestLoad_ReadsAFile(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	dir := t.TempDir()
	name := filepath.Join(dir, "inventory.yaml")
	if err := os.WriteFile(name, withRequired(""), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "artifacts"); inv.Artifacts.Dir != want {
		t.Errorf("artifacts.dir is %s; want %s", inv.Artifacts.Dir, want)
	}
}

func TestLoad_MissingFileIsErrNotExist(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestLoad_DirectoryIsAnError(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "read inventory") {
		t.Errorf("error is %v", err)
	}
}

func TestLoad_StopsReadingAnEndlessFile(t *testing.T) {
	_, err := Load("/dev/zero")
	if err == nil || !strings.Contains(err.Error(), "/dev/zero:1:1: .: the file has more than 2097152 bytes") {
		t.Errorf("error is %v", err)
	}
}

func TestErrors_SingleErrorsCanBeFound(t *testing.T) {
	_, err := Parse("f.yaml", withRequired("cluster: A\nssh: {port: 0}\n"))
	var one Error
	if !errors.As(err, &one) || one.File != "f.yaml" || one.Path != "cluster" || one.Line != 1 || one.Column != 10 {
		t.Errorf("first error is %#v", one)
	}
	var all Errors
	if !errors.As(err, &all) || len(all) != 2 {
		t.Errorf("errors are %v", all)
	}
}

func TestError_IsOnePrintableLine(t *testing.T) {
	e := Error{File: "a\nb\x1b[31m", Line: 1, Column: 2, Path: "x\ny", Message: "\u202etext", Hint: "hi\tnt"}
	want := `a\nb\x1b[31m:1:2: x\ny: \u202etext; hi\tnt`
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

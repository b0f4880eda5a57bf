package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"provision/e2e/toolchain/internal/recipe"
)

// layout is what the lab uploads by file name, without the sums and versions.
var layout = []string{
	"bridge", "containerd", "containerd-shim-runc-v2", "coredns", "coredns.tar", "ctr", "etcd", "etcdctl",
	"etcdutl", "flanneld", "host-local", "kube-apiserver", "kube-controller-manager", "kube-proxy",
	"kube-scheduler", "kubectl", "kubelet", "loopback", "pause.tar", "portmap", "registry", "runc", "sample.tar",
}

func TestPlan_PublishesTheAgreedLayout(t *testing.T) {
	names := realPlan(t).published()
	slices.Sort(names)
	if !slices.Equal(names, layout) {
		t.Errorf("got %v", names)
	}
}

func TestPlan_KeyIsStable(t *testing.T) {
	if realPlan(t).key != realPlan(t).key {
		t.Error("two looks, two keys")
	}
}

func TestPlan_VersionsNameEveryArtifact(t *testing.T) {
	text, err := realPlan(t).versions()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]version
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range layout {
		if v := all[name]; !strings.HasPrefix(v.Version, "v") || v.Module == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if len(all) != len(layout) {
		t.Errorf("%d versions, want %d", len(all), len(layout))
	}
}

func TestPlan_LanesKeepComponentsTogether(t *testing.T) {
	lanes := realPlan(t).lanes(map[string]bool{"kubelet": true, "kubectl": true, "runc": true})
	if len(lanes) != 2 || len(lanes[0]) != 2 || lanes[1][0].Name != "runc" {
		t.Errorf("got %v", lanes)
	}
}

func TestCacheDir_FollowsXDG(t *testing.T) {
	cases := []struct{ xdg, home, want string }{
		{"/cache", "/home/me", "/cache/provision/toolchain"},
		{"", "/home/me", "/home/me/.cache/provision/toolchain"},
		{"relative", "/home/me", ""},
		{"", "", ""},
	}
	for _, c := range cases {
		env := map[string]string{"XDG_CACHE_HOME": c.xdg, "HOME": c.home}
		got, err := cacheDir(func(name string) string { return env[name] })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("XDG_CACHE_HOME=%q HOME=%q: got %q, %v", c.xdg, c.home, got, err)
		}
	}
}

func TestParse_RefusesWhatMakesNoSense(t *testing.T) {
	for _, args := range [][]string{{"extra"}, {"-o", "x", "--print-dir"}, {"-jobs", "0"}, {"-unknown"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestParse_HelpSaysHowToCallIt(t *testing.T) {
	var out bytes.Buffer
	if _, err := parse([]string{"-h"}, &out); err == nil || !strings.Contains(out.String(), "go run . [-o dir") {
		t.Errorf("got %v and %q", err, out.String())
	}
}

func realPlan(t *testing.T) plan {
	t.Helper()
	target := recipe.Target{GoVersion: "go1.26.8", OS: "linux", Arch: "amd64"}
	p, err := newPlan(".", target, recipe.Programs(), recipe.Images())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

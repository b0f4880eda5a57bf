package converge

import (
	"os"
	"reflect"
	"testing"
	"time"

	"provision/pkg/resource"
)

// formerly is a host that had more than webHost declares.
func formerly() (resource.Host, Observation) {
	all := oneStage(webHost("a"))
	gone := []resource.Resource{
		resource.File{Path: "/etc/gone/file"},
		resource.File{Path: "/etc/gone/key", Once: true},
		resource.Directory{Path: "/etc/gone"},
		resource.Directory{Path: "/etc/gone/deep"},
		resource.Artifact{Path: "/bin/gone", Sum: "x"},
		resource.Certificate{CertPath: "/etc/gone.crt", KeyPath: "/etc/gone.key"},
		resource.Service{Unit: "gone.service"},
		resource.Service{Unit: "never.service", Stopped: true},
		resource.Package{Name: "gone"},
		resource.Sysctl{Key: "gone", Value: "1"},
		resource.Module{Name: "gone"},
		resource.Command{Name: "gone", Check: []string{"x"}},
		resource.Authority{Name: "gone", CertPath: "/etc/ca.crt", KeyPath: "/etc/ca.key"},
		resource.File{Path: "/etc/web.crt"}, // declared as another kind now
		resource.Directory{Path: "/etc"},    // what is declared stands in it
	}
	all.Stages[0].Resources = append(all.Stages[0].Resources, gone...)
	seen := converged(all)
	seen.Record.Places = map[string][]string{}
	for _, r := range gone {
		seen.Record.Resources[r.ID().String()] = resource.State{{Name: "x", Value: "y"}}
		if places := resource.Places(r); places != nil {
			seen.Record.Places[r.ID().String()] = places
		}
	}
	now := webHost("a")
	now.Stages[0].Resources = append(now.Stages[0].Resources, resource.Trust{Path: "/etc/web.crt", Authority: "none"})
	seen.Record.Resources["trust /etc/web.crt"] = now.Stages[0].Resources[2].Want(resource.View{Facts: seen.Facts, Authorities: map[string][]byte{}})
	seen.Facts.Files["/etc/web.crt"] = resource.FileFact{Type: "file", Mode: "0644", Owner: "root", Group: "root", Sum: seen.Record.Resources["trust /etc/web.crt"].Get("content")}
	return now, seen
}

func TestNewPlan_WhatIsNoLongerDeclaredIsAnOrphan(t *testing.T) {
	host, seen := formerly()
	want := []string{
		"a: remove service gone.service (orphan)",
		"a: remove artifact /bin/gone (orphan)", "a: remove certificate /etc/gone.crt (orphan)", "a: remove file /etc/gone/file (orphan)",
		"a: remove directory /etc/gone/deep (orphan)", "a: remove directory /etc/gone (orphan)",
	}
	if got := planOf(host, seen); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := planOf(host, Observation{Err: os.ErrNotExist}); len(got) != 0 {
		t.Errorf("of a host that was not seen: %q", got)
	}
}

func TestApply_OrphansStopFirstGoLastAndAreForgotten(t *testing.T) {
	host, seen := formerly()
	fact := seen.Facts.Files["/etc/other.conf"]
	fact.Sum = "old"
	seen.Facts.Files["/etc/other.conf"] = fact
	connections, hosts := fleetOf([]resource.Host{host})
	if err := Apply(t.Context(), NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen}), Options{Run: Run{ID: "one"}, Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{"record", "unit-retire", "record", "write", "record", "remove", "remove", "remove", "remove", "remove-directory", "remove-directory", "record"}
	if got := hosts["a"].verbs(); !reflect.DeepEqual(got, want) {
		t.Errorf("operations %q", got)
	}
	if got := hosts["a"].done("remove"); !reflect.DeepEqual(got, []string{"/bin/gone", "/etc/gone.key", "/etc/gone.crt", "/etc/gone/file"}) {
		t.Errorf("removed %q", got)
	}
	all := records(t, hosts["a"])
	last := all[len(all)-1]
	if len(last.Resources) != len(host.Resources()) || len(last.Places) != len(host.Resources()) {
		t.Errorf("remembered: %v; places: %v", last.Resources, last.Places)
	}
}

// Over SSH: what was made goes, its service first, and comes back by an undo.
func TestEngine_WhatIsNoLongerDeclaredIsRemoved(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	folder := resource.Directory{Path: s.path("etc/role"), Attributes: s.attributes("0700")}
	config := resource.File{Path: s.path("etc/role/conf"), Attributes: s.attributes("0640"), Content: []byte("x")}
	unit := resource.File{Path: s.path("lib/systemd/system/role.service"), Attributes: s.attributes("0644"), Content: []byte("y")}
	service := resource.Service{Unit: "role.service"}.Using([]resource.Resource{config})
	role := resource.Stage{Name: "role", Resources: []resource.Resource{folder, config, unit, service}}
	run := func(id string, stages ...resource.Stage) *Plan {
		desired := []resource.Host{{Name: "testhost", Stages: stages}}
		plan := NewPlan(time.Now(), desired, Observe(t.Context(), desired, hosts, nil))
		if err := Apply(t.Context(), plan, Options{Run: Run{ID: id}, Hosts: hosts, Artifacts: memoryArtifacts{}}).Err(); err != nil {
			t.Fatal(err)
		}
		return plan
	}
	run("one", role)
	s.write("units/calls", "")
	s.write("etc/mine", "not made by provision")
	run("two")
	if got := s.read("units/calls"); got != "disable role.service\ndaemon-reload\n" {
		t.Errorf("systemctl was told %q", got)
	}
	for _, name := range []string{"etc/role", "lib/systemd/system/role.service"} {
		if _, err := os.Lstat(s.path(name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if plan := run("three"); plan.Summary().Changes != 0 {
		t.Errorf("third run: %q", lines(plan))
	}
	s.mustApply(journaled("four", op("undo", "two"))...)
	if s.read("etc/role/conf") != "x" || s.mode("etc/role") != 0o700 || s.read("units/role.service.active") != "" || s.read("etc/mine") == "" {
		t.Errorf("conf %q, active %q", s.read("etc/role/conf"), s.read("units/role.service.active"))
	}
	noLeftovers(t, s)
}

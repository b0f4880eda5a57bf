package converge

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/resource"
)

// changeTo converges the sandbox on a content, as the run with this id.
func changeTo(t *testing.T, hosts map[string]Connection, desired []resource.Host, id string) {
	t.Helper()
	plan := NewPlan(time.Now(), desired, Observe(t.Context(), desired, hosts, nil))
	if err := Apply(t.Context(), plan, Options{Run: Run{ID: id, By: "me@here"}, Hosts: hosts, Artifacts: memoryArtifacts{}, settle: time.Nanosecond}).Err(); err != nil {
		t.Fatal(err)
	}
}

// webIn is a file in the sandbox and the service that reads it.
func (s *sandbox) webIn(content string, more ...resource.Resource) []resource.Host {
	config := resource.File{Path: s.path("etc/web.conf"), Attributes: s.attributes("0640"), Content: []byte(content)}
	web := resource.Service{Unit: "web.service"}.Using([]resource.Resource{config})
	return []resource.Host{{Name: "testhost", Stages: []resource.Stage{{Name: "web", Resources: append([]resource.Resource{config, web}, more...)}}}}
}

func rollBack(t *testing.T, hosts map[string]Connection, desired []resource.Host, run, id string) error {
	t.Helper()
	plan, err := NewRollback(desired, nil, History(t.Context(), desired, hosts, nil, run), run)
	if err != nil {
		return err
	}
	return Apply(t.Context(), plan, Options{Run: Run{ID: id}, Hosts: hosts, settle: time.Nanosecond}).Err()
}

func TestRollback_BringsBackWhatARunChangedAndIsARunItself(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	fresh := resource.File{Path: s.path("etc/fresh"), Attributes: s.attributes("0600"), Content: []byte("x")}
	changeTo(t, hosts, s.webIn("port=1\n"), "1")
	changeTo(t, hosts, s.webIn("port=2\n", fresh), "2")
	s.write("units/log", "")
	if err := rollBack(t, hosts, s.webIn("port=2\n", fresh), "2", "3"); err != nil {
		t.Fatal(err)
	}
	if s.read("etc/web.conf") != "port=1\n" || s.read("units/log") != "restart web.service\n" || !strings.Contains(s.read("etc/fresh"), "no such file") {
		t.Errorf("config %q, log %q, fresh %q", s.read("etc/web.conf"), s.read("units/log"), s.read("etc/fresh"))
	}
	if got := planOfSandbox(t, hosts, s.webIn("port=1\n")); len(got) != 0 {
		t.Errorf("with the old inventory: %q", got)
	}
	want := []string{"update file web.conf (change)", "restart service web.service (follows)", "create file fresh (new)"}
	if got := planOfSandbox(t, hosts, s.webIn("port=2\n", fresh)); !reflect.DeepEqual(got, want) {
		t.Errorf("with the new inventory: %q", got)
	}
	history := History(t.Context(), s.webIn(""), hosts, nil, "")[0]
	var runs []string
	for _, run := range history.Runs {
		runs = append(runs, run.ID)
	}
	if !slices.Equal(runs, []string{"1", "2", "3"}) || history.Runs[0].By != "me@here" || len(history.Runs[1].Changes) != 3 {
		t.Errorf("history %+v", history.Runs)
	}
	if err := rollBack(t, hosts, s.webIn("port=2\n"), "3", "4"); err != nil || s.read("etc/web.conf") != "port=2\n" || s.read("etc/fresh") != "x" {
		t.Errorf("the rollback of the rollback: %v; config %q", err, s.read("etc/web.conf"))
	}
}

// planOfSandbox is what a run would do, by the names of files.
func planOfSandbox(t *testing.T, hosts map[string]Connection, desired []resource.Host) []string {
	t.Helper()
	var got []string
	for _, line := range lines(NewPlan(time.Now(), desired, Observe(t.Context(), desired, hosts, nil))) {
		words := strings.Fields(line)
		words[3] = words[3][strings.LastIndex(words[3], "/")+1:]
		got = append(got, strings.Join(words[1:], " "))
	}
	return got
}

func TestRollback_RefusesWhatItCannotBringBack(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	for _, port := range []string{"1", "2", "3"} {
		changeTo(t, hosts, s.webIn("port="+port+"\n"), port)
	}
	err := rollBack(t, hosts, s.webIn(""), "2", "r")
	if err == nil || !strings.Contains(err.Error(), "run 3 (by me@here) has changed "+s.path("etc/web.conf")+" since run 2") {
		t.Errorf("got %v", err)
	}
	if err := rollBack(t, hosts, s.webIn(""), "never", "r"); err == nil || !strings.Contains(err.Error(), "no host has a journal of run never") {
		t.Errorf("got %v", err)
	}
	for _, port := range []string{"4", "5", "6", "7"} {
		changeTo(t, hosts, s.webIn("port="+port+"\n"), port)
	}
	if err := rollBack(t, hosts, s.webIn(""), "1", "r"); err == nil || !strings.Contains(err.Error(), "its journal is gone") {
		t.Errorf("got %v", err)
	}
	if s.read("etc/web.conf") != "port=7\n" {
		t.Errorf("config %q", s.read("etc/web.conf"))
	}
}

// What the old files make sick goes back to the new ones.
func TestRollback_IsRolledBackWhereTheOldFilesMakeTheServiceSick(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	changeTo(t, hosts, s.webIn("port=1\n"), "1")
	changeTo(t, hosts, s.webIn("port=2\n"), "2")
	s.write("home/runs/2/files/1", "bad\n")
	err := rollBack(t, hosts, s.webIn("port=2\n"), "2", "3")
	if err == nil || !strings.Contains(err.Error(), "rolled back") || s.read("etc/web.conf") != "port=2\n" || s.read("units/web.service.started-with") != "port=2\n" {
		t.Errorf("%v; config %q, the service runs with %q", err, s.read("etc/web.conf"), s.read("units/web.service.started-with"))
	}
	if got := planOfSandbox(t, hosts, s.webIn("port=2\n")); len(got) != 0 {
		t.Errorf("then: %q", got)
	}
}

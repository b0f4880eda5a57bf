package converge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/resource"
)

// restarting is a host on which a changed file restarts a running service.
func restarting(name string) (resource.Host, Observation) {
	seen := converged(webHost(name))
	fact := seen.Facts.Files["/etc/web.conf"]
	fact.Sum = "old"
	seen.Facts.Files["/etc/web.conf"] = fact
	seen.Record.Resources["file /etc/web.conf"][0].Value = "old"
	return oneStage(webHost(name)), seen
}

// oneStage is a host with all its resources in one stage.
func oneStage(host resource.Host) resource.Host {
	return resource.Host{Name: host.Name, Stages: []resource.Stage{{Name: "web", Resources: host.Resources()}}}
}

func TestApply_ServiceThatIsSickIsRolledBack(t *testing.T) {
	for _, at := range []string{"unit-restart", "settle"} {
		for word, want := range map[string]string{"back": "web.service runs with them", "down": "web.service does not run with them either"} {
			host, seen := restarting("a")
			connections, hosts := fleetOf([]resource.Host{host})
			hosts["a"].failAt, hosts["a"].sick, hosts["a"].reverts = at, "web.service", word
			outcome := Apply(t.Context(), NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen}), Options{Run: Run{ID: "one"}, Hosts: connections})
			var back *RolledBackError
			if err := outcome.Err(); !errors.As(err, &back) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "it broke") {
				t.Fatalf("%s, %s: %v", at, word, err)
			}
			if outcome.Hosts[0].Changed != 0 {
				t.Errorf("%d changes are told, and none is left", outcome.Hosts[0].Changed)
			}
			all := records(t, hosts["a"])
			last := all[len(all)-1]
			if !reflect.DeepEqual(last.Resources, seen.Record.Resources) {
				t.Errorf("%s: the host remembers %v", at, last.Resources)
			}
		}
	}
}

func TestApply_FirstStartIsNotRolledBack(t *testing.T) {
	host := oneStage(webHost("a"))
	connections, hosts := fleetOf([]resource.Host{host})
	hosts["a"].failAt = "unit-restart"
	outcome := Apply(t.Context(), NewPlan(now, []resource.Host{host}, allBare([]resource.Host{host})), Options{Run: Run{ID: "one"}, Hosts: connections})
	if outcome.Err() == nil || len(hosts["a"].done("revert")) != 0 || len(hosts["a"].done("settle")) != 0 {
		t.Errorf("%v; %q", outcome.Err(), hosts["a"].verbs())
	}
}

// A program that came in an earlier stage goes back with the stage in which its
// service is started, and what else reads it is started again by the next run.
func TestRevert_RecordTellsWhatIsThere(t *testing.T) {
	program := resource.Artifact{Path: "/bin/web", Source: "web", Sum: strings.Repeat("a", 64)}
	shared := resource.File{Path: "/etc/shared", Content: []byte("new")}
	web := resource.Service{Unit: "web.service"}.Using([]resource.Resource{program})
	early := resource.Service{Unit: "early.service"}.Using([]resource.Resource{program})
	later := resource.Service{Unit: "later.service"}.Using([]resource.Resource{shared})
	untouched := resource.Service{Unit: "untouched.service"}
	host := resource.Host{Name: "a", Stages: []resource.Stage{
		{Name: "programs", Resources: []resource.Resource{program, shared, early}},
		{Name: "web", Resources: []resource.Resource{web}},
		{Name: "later", Resources: []resource.Resource{later, untouched}},
	}}
	seen := converged(host)
	seen.Facts.Files["/bin/web"] = resource.FileFact{Type: "file", Mode: "0755", Owner: "root", Group: "root", Sum: "old"}
	seen.Record.Resources["artifact /bin/web"][0].Value = "old"
	delete(seen.Facts.Files, "/etc/shared")
	delete(seen.Record.Resources, "file /etc/shared")
	seen.Facts.Units["untouched.service"] = resource.UnitFact{LoadState: "loaded", ActiveState: "inactive", UnitFileState: "enabled"}
	plan := NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen})
	progress := newProgress(Run{ID: "one"}, &plan.Hosts[0])
	progress.done(map[resource.ID]resource.State{program.ID(): {{Name: "content", Value: "new"}}, shared.ID(): {{Name: "content", Value: "new"}}})
	if paths := progress.revert(&plan.Hosts[0], &plan.Hosts[0].Stages[1]); !reflect.DeepEqual(paths, []string{"/bin/web"}) {
		t.Errorf("paths %q", paths)
	}
	got := map[string]string{}
	for name, state := range progress.record.Resources {
		got[name] = state.Get("content") + state.Get(resource.InputsAttribute)
	}
	want := map[string]string{
		"artifact /bin/web": "old", "file /etc/shared": "new", "service early.service": "interrupted",
		"service web.service": web.Inputs, "service later.service": "interrupted", "service untouched.service": "",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The whole way over SSH: a bad file takes its service down, both come back, the
// plan shows the change again, and a good one converges.
func TestEngine_BadChangeIsRolledBackAndAGoodOneConverges(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	convergeOnce(t, s.desired(), hosts)
	with := func(content string) []resource.Host {
		config := resource.File{Path: s.path("etc/web.conf"), Attributes: s.attributes("0640"), Content: []byte(content)}
		fresh := resource.File{Path: s.path("etc/fresh.conf"), Attributes: s.attributes("0640"), Content: []byte(content)}
		web := resource.Service{Unit: "web.service"}.Using([]resource.Resource{config})
		return []resource.Host{{Name: "testhost", Stages: []resource.Stage{{Name: "web", Resources: []resource.Resource{config, fresh, web}}}}}
	}
	run := func(id, content string) (*Plan, error) {
		plan := NewPlan(time.Now(), with(content), Observe(t.Context(), with(content), hosts, nil))
		return plan, Apply(t.Context(), plan, Options{Run: Run{ID: id}, Hosts: hosts, settle: time.Nanosecond}).Err()
	}
	_, err := run("bad", "bad\n")
	if err == nil || !strings.Contains(err.Error(), "rolled back: the old files are back, and web.service runs with them") || !strings.Contains(err.Error(), "the last words of the unit") {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(s.path("etc/fresh.conf")); err == nil || s.read("etc/web.conf") != "port=80\n" || s.read("units/web.service.started-with") != "port=80\n" {
		t.Errorf("config %q, the service runs with %q, fresh: %v", s.read("etc/web.conf"), s.read("units/web.service.started-with"), err)
	}
	plan, err := run("good", "port=81\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"testhost: update file " + s.path("etc/web.conf") + " (change)", "testhost: create file " + s.path("etc/fresh.conf") + " (new)",
		"testhost: restart service web.service (follows)",
	}
	if got := lines(plan)[:3]; !reflect.DeepEqual(got, want) { // then come orphans
		t.Errorf("got  %q\nwant %q", got, want)
	}
	noLeftovers(t, s)
}

// An endpoint is asked through the connection, after the script has ended: what
// it says counts as much.
func TestApply_ServiceThatDoesNotAnswerIsRolledBackAndItsOldSelfIsAsked(t *testing.T) {
	for name, heals := range map[string]bool{"runs with them": true, "does not run with them either": false} {
		host, seen := restarting("a")
		service := host.Stages[0].Resources[2].(resource.Service)
		service.Answers, service.Within = "http://127.0.0.1/healthz", 200*time.Millisecond
		host.Stages[0].Resources[2] = service
		connections, hosts := fleetOf([]resource.Host{host})
		hosts["a"].sick, hosts["a"].reverts = "web.service", "back"
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if back := slices.Contains(hosts["a"].verbs(), "revert"); !back || !heals {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}))
		t.Cleanup(server.Close)
		hosts["a"].dial = func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}
		err := Apply(t.Context(), NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen}),
			Options{Run: Run{ID: "one"}, Hosts: connections, interval: time.Millisecond, settle: time.Nanosecond}).Err()
		var back *RolledBackError
		if !errors.As(err, &back) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "500") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

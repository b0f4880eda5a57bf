package converge

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
	"provision/pkg/resource"
)

// connect opens an SSH connection to a server that runs commands in the
// sandbox.
func (s *sandbox) connect(t *testing.T) (map[string]Connection, *remote.Dialer, *sshtest.Server) {
	t.Helper()
	server := sshtest.Start(t, sshtest.WithHandler(s.handle))
	dialer := remote.NewDialer(remote.Options{})
	client, err := dialer.Dial(t.Context(), server.Target())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		dialer.Close()
	})
	return map[string]Connection{"testhost": client}, dialer, server
}

// desired is files, a program and a service in the sandbox.
func (s *sandbox) desired() []resource.Host {
	config := resource.File{Path: s.path("etc/web.conf"), Attributes: s.attributes("0640"), Content: []byte("port=80\n")}
	other := resource.File{Path: s.path("etc/other.conf"), Attributes: s.attributes("0600"), Content: []byte("x\n")}
	program := resource.Artifact{Path: s.path("bin/web"), Attributes: s.attributes("0755"), Source: "web", Sum: resource.Sum([]byte("web"))}
	web := resource.Service{Unit: "web.service"}.Using([]resource.Resource{config, program})
	idle := resource.Service{Unit: "idle.service"}
	return []resource.Host{{Name: "testhost", Stages: []resource.Stage{
		{Name: "programs", Resources: []resource.Resource{program}},
		{Name: "web", Resources: []resource.Resource{config, other, web, idle}},
	}}}
}

// converge looks, plans and applies, as the command does.
func convergeOnce(t *testing.T, desired []resource.Host, hosts map[string]Connection) *Plan {
	t.Helper()
	observed := Observe(t.Context(), desired, hosts, nil)
	plan := NewPlan(time.Now(), desired, observed)
	if plan.Hosts[0].Err != nil {
		t.Fatal(plan.Hosts[0].Err)
	}
	if len(plan.Hosts[0].Changes()) == 0 {
		return plan
	}
	outcome := Apply(t.Context(), plan, Options{Run: Run{ID: "one"}, Hosts: hosts, Artifacts: memoryArtifacts{}, settle: time.Nanosecond})
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestEngine_ConvergesOverSSHAndThenDoesNothing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, dialer, _ := s.connect(t)
	desired := s.desired()
	convergeOnce(t, desired, hosts)
	if s.read("etc/web.conf") != "port=80\n" || s.read("bin/web") != "web" || s.read("units/log") != "restart web.service\nrestart idle.service\n" {
		t.Errorf("config %q, program %q, log %q", s.read("etc/web.conf"), s.read("bin/web"), s.read("units/log"))
	}
	before := dialer.Counts()
	if plan := convergeOnce(t, desired, hosts); len(plan.Hosts[0].Changes()) != 0 {
		t.Errorf("second run: %q", lines(plan))
	}
	after := dialer.Counts()
	if after.Connections != 1 || after.Execs-before.Execs != 1 || after.Uploads != before.Uploads {
		t.Errorf("the second run cost %+v, then %+v", before, after)
	}
	noLeftovers(t, s)
}

func TestEngine_MendsOnlyWhatDrifted(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	desired := s.desired()
	convergeOnce(t, desired, hosts)
	s.write("etc/web.conf", "port=8080\n")
	s.write("units/log", "")
	plan := convergeOnce(t, desired, hosts)
	want := []string{
		"testhost: update file " + s.path("etc/web.conf") + " (drift)",
		"testhost: restart service web.service (follows)",
	}
	if got := lines(plan); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if diff := plan.Hosts[0].Changes()[0].Diff; !strings.Contains(diff, "-port=8080\n+port=80") {
		t.Errorf("diff %q", diff)
	}
	if s.read("etc/web.conf") != "port=80\n" || s.read("units/log") != "restart web.service\n" {
		t.Errorf("config %q, log %q", s.read("etc/web.conf"), s.read("units/log"))
	}
	if plan := convergeOnce(t, desired, hosts); len(plan.Hosts[0].Changes()) != 0 {
		t.Errorf("third run: %q", lines(plan))
	}
}

func TestEngine_FailedServiceNamesHostResourceAndLastWords(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, _ := s.connect(t)
	desired := s.desired()
	s.write("units/web.service.fails", "")
	observed := Observe(t.Context(), desired, hosts, nil)
	outcome := Apply(t.Context(), NewPlan(time.Now(), desired, observed), Options{Hosts: hosts, Artifacts: memoryArtifacts{}, settle: time.Nanosecond})
	err := outcome.Err()
	for _, want := range []string{"testhost", "stage web", "service web.service", "exit status 1", "the last words of the unit"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if strings.Contains(s.read("units/log"), "idle.service") {
		t.Error("it went on after the failure")
	}
}

func TestObserve_ConnectionLostIsTheHostsError(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	hosts, _, server := s.connect(t)
	server.Drop()
	seen := Observe(t.Context(), s.desired(), hosts, nil)["testhost"]
	if seen.Err == nil || !strings.Contains(seen.Err.Error(), "look at the host") {
		t.Errorf("got %v", seen.Err)
	}
}

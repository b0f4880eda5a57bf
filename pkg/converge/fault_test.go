package converge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
	"provision/pkg/resource"
)

// dial connects to a server that runs commands in the sandbox and has faults.
func (s *sandbox) dial(t *testing.T, options ...sshtest.Option) (*remote.Client, *sshtest.Server) {
	t.Helper()
	server := sshtest.Start(t, append([]sshtest.Option{sshtest.WithHandler(s.handle)}, options...)...)
	dialer := remote.NewDialer(remote.Options{})
	t.Cleanup(func() { dialer.Close() })
	client, err := dialer.Dial(t.Context(), server.Target())
	if err != nil {
		return nil, server
	}
	t.Cleanup(func() { client.Close() })
	return client, server
}

func (s *sandbox) handle(ctx context.Context, e sshtest.Exec) int {
	e.Command = s.inside(e.Command)
	return sshtest.Shell(ctx, e)
}

// Wherever the link is cut, a second run over a link that holds converges, the
// service runs with its present files, and a third finds nothing to do.
func TestEngine_CutLinkIsMendedByTheNextRun(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	cuts := 0
	for round := range 8 {
		s := newSandbox(t)
		desired := s.desired()
		healthy, _ := s.dial(t)
		whole := map[string]Connection{"testhost": healthy}
		convergeOnce(t, desired, whole)
		s.write("etc/web.conf", "port=8080\n")
		s.write("etc/other.conf", "y\n")
		// A login takes some 4 KiB from the client, the probe and the run 5 KiB each.
		if client, _ := s.dial(t, sshtest.DropAfter(int64(4000+random.IntN(15000)))); client != nil {
			weak := map[string]Connection{"testhost": client}
			plan := NewPlan(time.Now(), desired, Observe(t.Context(), desired, weak, nil))
			if Apply(t.Context(), plan, Options{Hosts: weak, Artifacts: memoryArtifacts{}, settle: time.Nanosecond}).Err() != nil {
				cuts++
			}
		}
		for name, allowed := range map[string]string{"etc/web.conf": "port=8080\n port=80\n", "etc/other.conf": "y\n x\n"} {
			if got := s.read(name); !strings.Contains(allowed, got) || got == "" {
				t.Fatalf("round %d: %s holds %q", round, name, got)
			}
		}
		convergeOnce(t, desired, whole)
		if got := s.read("units/web.service.started-with"); got != "port=80\n" {
			t.Fatalf("round %d: the service runs with %q", round, got)
		}
		if plan := convergeOnce(t, desired, whole); len(plan.Hosts[0].Changes()) != 0 {
			t.Fatalf("round %d: third run: %q", round, lines(plan))
		}
		noLeftovers(t, s)
	}
	if cuts == 0 {
		t.Error("no run was cut: this test proves nothing")
	}
}

func TestEngine_HostsRunAtTheSameTimeOverOneConnectionEach(t *testing.T) {
	t.Parallel()
	const count = 3
	arrived, all := make(chan struct{}, count), make(chan struct{})
	var desired []resource.Host
	connections, servers := map[string]Connection{}, map[string]*sshtest.Server{}
	for i := range count {
		s := newSandbox(t)
		host := s.desired()[0]
		host.Name = fmt.Sprint("host", i)
		desired = append(desired, host)
		client, server := s.dial(t, sshtest.WithHandler(func(ctx context.Context, e sshtest.Exec) int {
			if strings.Contains(e.Command, "unit-restart") { // apply.sh: waits until every host is there
				select {
				case arrived <- struct{}{}:
				default:
				}
				select {
				case <-all:
				case <-time.After(10 * time.Second):
					return 1 // the others don't come
				}
			}
			return s.handle(ctx, e)
		}))
		connections[host.Name], servers[host.Name] = client, server
	}
	go func() {
		for range count {
			<-arrived
		}
		close(all)
	}()
	observed := Observe(t.Context(), desired, connections, nil)
	if err := Apply(t.Context(), NewPlan(time.Now(), desired, observed), Options{Hosts: connections, Artifacts: memoryArtifacts{}, settle: time.Nanosecond}).Err(); err != nil {
		t.Fatal(err)
	}
	for name, server := range servers {
		if server.Connections() != 1 || len(server.Execs()) != 5 { // a look, the lock, two stages, and a directory for uploads
			t.Errorf("%s: %d connections, %d execs", name, server.Connections(), len(server.Execs()))
		}
	}
}

// A shell that ends without a word, as of a restricted account, has done nothing.
func TestEngine_ShellThatOnlyPretendsIsAnError(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string][]sshtest.Option{
		"ends at once":         {sshtest.WithHandler(func(context.Context, sshtest.Exec) int { return 0 })},
		"reads and ends":       {sshtest.WithHandler(func(_ context.Context, e sshtest.Exec) int { _, _ = io.Copy(io.Discard, e.Stdin); return 0 })},
		"no exit status":       {sshtest.EOFMidExec()},
		"prints what it likes": {sshtest.WithHandler(func(_ context.Context, e sshtest.Exec) int { _, _ = io.WriteString(e.Stdout, "begin x\nend"); return 0 })},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			client, _ := s.dial(t, fault...)
			connections := map[string]Connection{"testhost": client}
			seen := bare()
			outcome := Apply(t.Context(), NewPlan(time.Now(), s.desired(), map[string]Observation{"testhost": seen}), Options{Hosts: connections, Artifacts: memoryArtifacts{}, patience: 2 * time.Second, settle: time.Nanosecond})
			if outcome.Failed() != 1 {
				t.Error("the run reports success")
			}
			if name == "no exit status" {
				return // its probe answers whole
			}
			if seen := Observe(t.Context(), s.desired(), connections, nil)["testhost"]; seen.Err == nil {
				t.Error("the look reports success")
			}
		})
	}
}

func TestEngine_CancelledRunEndsWhileTheHostStillWorks(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	client, _ := s.dial(t)
	connections := map[string]Connection{"testhost": client}
	s.write("bin/hang", "#!/bin/sh\n: >"+s.path("hangs")+"\nexec sleep 60\n")
	desired := []resource.Host{{Name: "testhost", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{
		resource.Command{Name: "hang", Check: []string{"false"}, Do: []string{"hang"}},
	}}}}}
	plan := NewPlan(time.Now(), desired, Observe(t.Context(), desired, connections, nil))
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("the operator interrupted it")
	outcome := Apply(ctx, plan, Options{Hosts: connections, Observer: func(e Event) {
		if e.Kind == EventResourceBegun {
			cancel(interrupted)
		}
	}})
	if err := outcome.Hosts[0].Err; !errors.Is(err, interrupted) || !strings.Contains(err.Error(), "command hang") {
		t.Errorf("got %v", err)
	}
}

func TestEngine_EventsOfAHostAreInOrder(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	client, _ := s.dial(t)
	connections := map[string]Connection{"testhost": client}
	observer := &events{}
	plan := NewPlan(time.Now(), s.desired(), Observe(t.Context(), s.desired(), connections, nil))
	if err := Apply(t.Context(), plan, Options{Hosts: connections, Artifacts: memoryArtifacts{}, settle: time.Nanosecond, Observer: observer.observe}).Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, event := range observer.all {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", event.Kind, event.Stage, strings.ReplaceAll(event.Resource.Name, s.root, ""))))
		if i > 0 && event.Time.Before(observer.all[i-1].Time) {
			t.Error("an event is older than the one before it")
		}
	}
	want := []string{
		"stage-started programs", "upload-started programs /bin/web", "upload-moved programs /bin/web", "resource-begun programs /bin/web", "stage-done programs",
		"stage-started web", "resource-begun web /etc/web.conf", "resource-begun web /etc/other.conf", "resource-begun web web.service", "resource-begun web idle.service", "stage-done web",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

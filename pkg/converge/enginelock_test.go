package converge

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"provision/pkg/resource"
)

func TestEngine_SecondRunIsRefusedWhileTheFirstIsAtWork(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/hang", "#!/bin/sh\n: >"+s.path("hangs")+"\nexec sleep 60\n")
	desired := []resource.Host{{Name: "testhost", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{
		resource.Command{Name: "hang", Check: []string{"false"}, Do: []string{"hang"}},
	}}}}}
	first, _ := s.dial(t)
	second, _ := s.dial(t)
	plan := NewPlan(time.Now(), desired, Observe(t.Context(), desired, map[string]Connection{"testhost": first}, nil))
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan *Outcome)
	go func() {
		options := Options{Run: Run{ID: "one", By: "alice@laptop", Time: now}, Hosts: map[string]Connection{"testhost": first}}
		finished <- Apply(ctx, plan, options)
	}()
	eventually(t, "the first run is at work", func() bool { return s.read("hangs") == "" })
	before := s.read("home/record.json")
	plan = NewPlan(time.Now(), desired, Observe(t.Context(), desired, map[string]Connection{"testhost": second}, nil))
	refused := Apply(t.Context(), plan, Options{Run: Run{ID: "two"}, Hosts: map[string]Connection{"testhost": second}}).Refused
	var locked *LockedError
	if !errors.As(refused, &locked) || locked.By != "alice@laptop" || locked.Run != "one" || !locked.Since.Equal(now) {
		t.Errorf("got %v", refused)
	}
	if s.read("home/record.json") != before {
		t.Error("the second run changed the host")
	}
	cancel()
	<-finished
	if s.read("run/lock") != "" {
		t.Errorf("the first run is still named: %s", s.read("run/lock"))
	}
}

// Both looked before either had the lock.
func TestEngine_PlanThatAnotherRunOvertookIsRefused(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	client, _ := s.dial(t)
	connections := map[string]Connection{"testhost": client}
	desired := s.desired()
	apply := func(plan *Plan, id string) error {
		return Apply(t.Context(), plan, Options{Run: Run{ID: id, By: id + "@desk", Time: now}, Hosts: connections, Artifacts: memoryArtifacts{}, settle: time.Nanosecond}).Err()
	}
	for round, bare := range []bool{true, false} {
		if !bare {
			s.write("etc/web.conf", "edited\n")
		}
		seen := Observe(t.Context(), desired, connections, nil)
		if err := apply(NewPlan(time.Now(), desired, seen), "alice"); err != nil {
			t.Fatal(err)
		}
		s.write("etc/web.conf", "edited since\n")
		err := apply(NewPlan(time.Now(), desired, seen), "bob")
		if err == nil || !strings.Contains(err.Error(), "testhost was changed by another run since it was looked at (by alice@desk") {
			t.Errorf("round %d: %v", round, err)
		}
		if s.read("etc/web.conf") != "edited since\n" {
			t.Errorf("round %d: the host was touched", round)
		}
		convergeOnce(t, desired, connections)
	}
}

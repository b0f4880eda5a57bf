package converge

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"provision/pkg/resource"
)

func TestDisturb_SurroundsWhatRestartsRunningServicesOnly(t *testing.T) {
	t.Parallel()
	host, seen := restarting("a")
	fresh := oneStage(webHost("b"))
	desired := []resource.Host{host, fresh}
	connections, hosts := fleetOf(desired)
	var calls []string
	outcome := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen, "b": bare()}), Options{
		Hosts: connections, settle: time.Nanosecond,
		Disturb: func(_ context.Context, host string) (func(context.Context, error) error, error) {
			calls = append(calls, "before "+host)
			if slices.Contains(hosts[host].verbs(), "unit-restart") {
				t.Error("it is restarted already")
			}
			return func(_ context.Context, err error) error {
				calls = append(calls, "after "+host)
				if err != nil || !slices.Contains(hosts[host].verbs(), "unit-restart") {
					t.Errorf("it is not restarted: %v", err)
				}
				return nil
			}, nil
		},
	})
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"before a", "after a"}; !slices.Equal(calls, want) {
		t.Errorf("called %q", calls)
	}
}

func TestDisturb_HostThatCanNotBePreparedIsNotTouched(t *testing.T) {
	t.Parallel()
	host, seen := restarting("a")
	desired := []resource.Host{host}
	connections, hosts := fleetOf(desired)
	refused := errors.New("no")
	outcome := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen}), Options{
		Hosts:   connections,
		Disturb: func(context.Context, string) (func(context.Context, error) error, error) { return nil, refused },
	})
	if !errors.Is(outcome.Err(), refused) || slices.Contains(hosts["a"].verbs(), "unit-restart") {
		t.Errorf("got %v, did %q", outcome.Err(), hosts["a"].verbs())
	}
}

func TestRunsOn_TellsWhetherTheOldServiceRuns(t *testing.T) {
	t.Parallel()
	for want, errs := range map[bool][]error{
		true:  {nil, &RolledBackError{Back: []string{"x"}, Err: errors.New("sick")}},
		false: {errors.New("x"), &RolledBackError{Down: []string{"x"}}, &RolledBackError{Failed: errors.New("x")}},
	} {
		for _, err := range errs {
			if RunsOn(err) != want {
				t.Errorf("%v: want %v", err, want)
			}
		}
	}
}

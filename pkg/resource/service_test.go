package resource

import (
	"slices"
	"testing"
	"time"
)

// service is one that was started with what it uses now.
func service() Service { return Service{Unit: "etcd.service"}.Using([]Resource{file(), artifact()}) }

// running is the view of a host on which the service is as wanted.
func running(change func(*UnitFact)) View {
	fact := UnitFact{LoadState: "loaded", ActiveState: "active", SubState: "running", UnitFileState: "enabled"}
	if change != nil {
		change(&fact)
	}
	v := seeing(nil)
	v.Facts.Units = map[string]UnitFact{service().Unit: fact}
	v.Last = service().Want(v)
	return v
}

func TestService_Drift(t *testing.T) {
	const load, enable, restart = "unit-load etcd.service", "unit-enable etcd.service", "unit-restart etcd.service"
	tests := []struct {
		name      string
		change    func(*UnitFact)
		differing []string
		bring     []string
	}{
		{"as wanted", nil, nil, []string{load}},
		{"disabled", func(f *UnitFact) { f.UnitFileState = "disabled" }, []string{"boot: disabled -> enabled"}, []string{load, enable}},
		{"enabled until the next boot", func(f *UnitFact) { f.UnitFileState = "enabled-runtime" }, []string{"boot: enabled-runtime -> enabled"}, []string{load, enable}},
		{"static", func(f *UnitFact) { f.UnitFileState = "static" }, nil, []string{load}},
		{"indirect", func(f *UnitFact) { f.UnitFileState = "indirect" }, nil, []string{load}},
		{"stopped", func(f *UnitFact) { f.ActiveState, f.SubState = "inactive", "dead" }, []string{"state: inactive (dead) -> active"}, []string{load, restart}},
		{"failed", func(f *UnitFact) { f.ActiveState, f.SubState, f.Result = "failed", "failed", "exit-code" }, []string{"state: failed -> active"}, []string{load, restart}},
		{"restarting over and over", func(f *UnitFact) { f.ActiveState, f.SubState = "activating", "auto-restart" }, []string{"state: activating (auto-restart) -> active"}, []string{load, restart}},
		{
			"masked and stopped",
			func(f *UnitFact) {
				*f = UnitFact{LoadState: "masked", ActiveState: "inactive", SubState: "dead", UnitFileState: "masked"}
			},
			[]string{"boot: masked -> enabled", "state: inactive (dead) -> active"},
			[]string{load, enable, restart},
		},
		{"masked but running", func(f *UnitFact) { f.LoadState, f.UnitFileState = "masked", "masked" }, []string{"boot: masked -> enabled"}, []string{load, enable}},
		{"unit file changed on disk", func(f *UnitFact) { f.NeedReload = true }, []string{"unit: changed on disk -> loaded"}, []string{load}},
		{"unit file not readable", func(f *UnitFact) { f.LoadState = "bad-setting" }, []string{"unit: not readable (bad-setting) -> loaded"}, []string{load}},
		{
			"not there",
			func(f *UnitFact) { *f = UnitFact{LoadState: "not-found", ActiveState: "inactive", SubState: "dead"} },
			[]string{"boot:  -> enabled", "unit:  -> loaded", "state:  -> active", "inputs:  -> " + service().Inputs},
			[]string{load, enable, restart},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := running(tt.change)
			checkDiffering(t, service(), v, tt.differing...)
			checkBring(t, service(), v, tt.bring...)
			if starts := slices.Contains(tt.bring, restart); service().Starts(v) != starts {
				t.Errorf("starts: %t", !starts)
			}
		})
	}
}

func TestService_IsRestartedForWhatItUses(t *testing.T) {
	changed := running(nil)
	changed.Changed = map[ID]bool{file().ID(): true, {Kind: "file", Name: "/etc/other"}: true}
	checkDiffering(t, service(), changed, "inputs: as they were before this run -> "+service().Inputs)
	checkBring(t, service(), changed, "unit-load etcd.service", "unit-restart etcd.service")
	if got := service().ChangedUses(changed); !slices.Equal(got, []ID{file().ID()}) {
		t.Errorf("changed uses are %v", got)
	}

	other := running(nil)
	other.Changed = map[ID]bool{{Kind: "file", Name: "/etc/other"}: true}
	checkDiffering(t, service(), other)

	declared := running(nil)
	declared.Last = State{{InputsAttribute, sumA}}
	checkDiffering(t, service(), declared, "inputs: "+sumA+" -> "+service().Inputs)
	checkBring(t, service(), declared, "unit-load etcd.service", "unit-restart etcd.service")
}

func TestService_OfARunThatWasCutShortIsRestarted(t *testing.T) {
	v := running(nil)
	v.Last = service().Interrupted(v)
	checkDiffering(t, service(), v, "inputs: interrupted -> "+service().Inputs)
	checkBring(t, service(), v, "unit-load etcd.service", "unit-restart etcd.service")
}

func TestService_ThatWasNeverAppliedIsRestarted(t *testing.T) {
	v := running(nil)
	v.Last = nil
	checkDiffering(t, service(), v, "inputs:  -> "+service().Inputs)
}

func TestService_WaitsUntilReadyOnlyAfterAStart(t *testing.T) {
	s := service()
	s.Ready, s.Within = []string{"test", "-s", "/run/x"}, 1500*time.Millisecond
	checkBring(t, s, running(nil), "unit-load etcd.service")
	stopped := running(func(f *UnitFact) { f.ActiveState = "inactive" })
	checkBring(t, s, stopped, "unit-load etcd.service", "unit-restart etcd.service", "wait 2 test -s /run/x")
}

func TestService_InputsAreTheSetOfWhatIsUsed(t *testing.T) {
	a, b := file(), artifact()
	inOrder, reversed := Service{Unit: "x.service"}.Using([]Resource{a, b}), Service{Unit: "x.service"}.Using([]Resource{b, a, b})
	if inOrder.Inputs != reversed.Inputs || !slices.Equal(inOrder.Uses, reversed.Uses) {
		t.Errorf("order or repetition matters: %v, %v", inOrder, reversed)
	}
	b.Sum = sumB
	if Service.Using(Service{}, []Resource{a, b}).Inputs == inOrder.Inputs {
		t.Error("another program is the same input")
	}
	if Service.Using(Service{}, []Resource{a}).Inputs == inOrder.Inputs {
		t.Error("a program less is the same input")
	}
}

func TestServiceStopped_WhatDiffers(t *testing.T) {
	stopped := Service{Unit: "etcd.service", Stopped: true}
	tests := []struct {
		name   string
		change func(*UnitFact)
		want   []string
	}{
		{"running", nil, []string{"boot: enabled -> disabled", "state: active -> inactive"}},
		{"not there", func(f *UnitFact) { *f = UnitFact{LoadState: "not-found", ActiveState: "inactive"} }, nil},
		{"never heard of", func(f *UnitFact) { *f = UnitFact{} }, nil},
		{"masked", func(f *UnitFact) { f.LoadState, f.UnitFileState, f.ActiveState = "masked", "masked", "inactive" }, nil},
		{"masked until the next boot", func(f *UnitFact) {
			f.LoadState, f.UnitFileState, f.ActiveState = "masked", "masked-runtime", "inactive"
		}, nil},
		{"failed", func(f *UnitFact) { f.UnitFileState, f.ActiveState = "disabled", "failed" }, nil},
		{"static", func(f *UnitFact) { f.UnitFileState, f.ActiveState = "static", "inactive" }, nil},
		{"transient", func(f *UnitFact) { f.UnitFileState, f.ActiveState = "transient", "inactive" }, nil},
		{"starts at boot", func(f *UnitFact) { f.ActiveState = "inactive" }, []string{"boot: enabled -> disabled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := running(tt.change)
			checkDiffering(t, stopped, v, tt.want...)
			checkBring(t, stopped, v, "unit-stop etcd.service")
			if stopped.Starts(v) {
				t.Error("a stopped unit is started")
			}
		})
	}
}

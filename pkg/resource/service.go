package resource

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Service is a systemd unit that is to run, or not to.
type Service struct {
	Unit string
	// Stopped units are neither started nor enabled, and needn't exist.
	Stopped bool
	// Uses are the resources that the unit reads when it starts: it is
	// restarted when one of them changes.
	Uses []ID
	// Inputs identifies the declarations of Uses.
	Inputs string
	// Ready is a command on the host that succeeds once the service does its
	// work.
	Ready []string
	// Answers is a URL on the host that answers 200 once the service does its
	// work. Authority names who signed its certificate, for https.
	Answers   string
	Authority string
	// Within bounds the wait for Ready and Answers.
	Within time.Duration
	// Disturbs says in a few words what a restart costs those who use the service;
	// "" is nothing worth a word.
	Disturbs string
}

var unitPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(service|socket|target|timer|path|mount|swap)$`)

// InputsAttribute is the attribute that tells what a service was started with.
const InputsAttribute = "inputs"

// ID is the unit's name.
func (s Service) ID() ID { return ID{"service", s.Unit} }

// Validate checks the unit's name (systemd.unit(5)) and what it waits for.
func (s Service) Validate() error {
	if !unitPattern.MatchString(s.Unit) {
		return fmt.Errorf("unit %q: want a name with its type, as in etcd.service", s.Unit)
	}
	if (len(s.Ready) > 0 || s.Answers != "") && s.Within <= 0 {
		return errors.New("ready and answers need a time: set within, as in within: 60s")
	}
	return validateArguments(s.Ready)
}

// Digest covers what is declared of the unit, not what it uses.
func (s Service) Digest() string {
	return digest("service", s.Unit, strconv.FormatBool(s.Stopped))
}

// Ask wants the unit's state.
func (s Service) Ask(q *Questions) { q.Units = append(q.Units, s.Unit) }

// Want is an enabled unit that runs with its present inputs.
func (s Service) Want(v View) State {
	if s.Stopped {
		return State{{"boot", "disabled"}, {"state", "inactive"}}
	}
	fact := v.Facts.Units[s.Unit]
	want := State{{"boot", "enabled"}, {"unit", "loaded"}, {"state", "active"}, {InputsAttribute, s.Inputs}}
	if bootFixed(fact) {
		want[0].Value = fact.UnitFileState
	}
	return want
}

// bootFixed tells that a unit has no [Install] section of its own, so that
// enabling it means nothing (systemctl(1), is-enabled).
func bootFixed(fact UnitFact) bool {
	switch fact.UnitFileState {
	case "static", "indirect", "generated", "transient", "alias":
		return true
	}
	return false
}

// Have is what systemd says of the unit.
func (s Service) Have(v View) State {
	fact := v.Facts.Units[s.Unit]
	exists := fact.LoadState != "" && fact.LoadState != "not-found"
	if s.Stopped {
		if !exists {
			return s.Want(v)
		}
		have := State{{"boot", fact.UnitFileState}, {"state", fact.ActiveState}}
		if strings.HasPrefix(fact.UnitFileState, "masked") || bootFixed(fact) {
			have[0].Value = "disabled"
		}
		if fact.ActiveState == "failed" {
			have[1].Value = "inactive"
		}
		return have
	}
	if !exists {
		return nil
	}
	unit := "loaded"
	switch {
	case fact.NeedReload:
		unit = "changed on disk"
	case fact.LoadState == "bad-setting" || fact.LoadState == "error":
		unit = "not readable (" + fact.LoadState + ")"
	}
	state := fact.ActiveState
	if fact.ActiveState != "active" && fact.SubState != "" && fact.SubState != fact.ActiveState {
		state += " (" + fact.SubState + ")"
	}
	inputs := v.Last.Get(InputsAttribute)
	if changed := s.ChangedUses(v); len(changed) > 0 {
		inputs = "as they were before this run"
	}
	return State{{"boot", fact.UnitFileState}, {"unit", unit}, {"state", state}, {InputsAttribute, inputs}}
}

// Using returns the service with what it uses; order and repetition mean
// nothing.
func (s Service) Using(used []Resource) Service {
	var digests []string
	s.Uses = nil
	used = slices.Clone(used)
	slices.SortFunc(used, func(a, b Resource) int { return strings.Compare(a.ID().String(), b.ID().String()) })
	used = slices.CompactFunc(used, func(a, b Resource) bool { return a.ID() == b.ID() })
	for _, r := range used {
		s.Uses = append(s.Uses, r.ID())
		digests = append(digests, r.Digest())
	}
	s.Inputs = digest(digests...)
	return s
}

// ChangedUses lists what the service uses and the same run changes.
func (s Service) ChangedUses(v View) []ID {
	var changed []ID
	for _, id := range s.Uses {
		if v.Changed[id] {
			changed = append(changed, id)
		}
	}
	return changed
}

// Starts tells whether bringing the service about starts it, or starts it
// again: it doesn't run, or not with its present inputs.
func (s Service) Starts(v View) bool {
	if s.Stopped {
		return false
	}
	have, want := s.Have(v), s.Want(v)
	return have.Get("state") != want.Get("state") || have.Get(InputsAttribute) != want.Get(InputsAttribute)
}

// Interrupted is the state to remember while the service or what it uses is
// being changed: a run that is cut short leaves it, and the next one restarts
// the service.
func (s Service) Interrupted(v View) State {
	state := s.Want(v)
	for i := range state {
		if state[i].Name == InputsAttribute {
			state[i].Value = "interrupted"
		}
	}
	return state
}

// Bring unmasks, enables and (re)starts the unit and waits until it is ready;
// or stops and disables it.
func (s Service) Bring(v View, _ Materials) (Operations, error) {
	fact := v.Facts.Units[s.Unit]
	if s.Stopped {
		return Operations{Ops: []Op{{Verb: "unit-stop", Args: []string{s.Unit}}}, Applied: s.Want(v)}, nil
	}
	ops := []Op{{Verb: "unit-load", Args: []string{s.Unit}}}
	if !bootFixed(fact) && fact.UnitFileState != "enabled" {
		ops = append(ops, Op{Verb: "unit-enable", Args: []string{s.Unit}})
	}
	if !s.Starts(v) {
		return Operations{Ops: ops, Applied: s.Want(v)}, nil
	}
	ops = append(ops, Op{Verb: "unit-restart", Args: []string{s.Unit}})
	if len(s.Ready) > 0 {
		ops = append(ops, Op{Verb: "wait", Args: append([]string{seconds(s.Within)}, s.Ready...)})
	}
	return Operations{Ops: ops, Applied: s.Want(v)}, nil
}

package resource

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Command is a state that only a command can see and bring about.
type Command struct {
	// Name says what the command brings about, in a word.
	Name string
	// Check succeeds, and prints Expect when that is not empty, exactly when
	// there is nothing to do. It must only look. Line ends at the end of Expect
	// and of what is printed mean nothing.
	Check  []string
	Expect string
	// Do brings the state about, with Input on its standard input. Check is
	// repeated after it.
	Do    []string
	Input string
	// Within is how long Do is repeated until it succeeds: zero means that it
	// is run once.
	Within time.Duration
}

// ID is the command's name.
func (c Command) ID() ID { return ID{"command", c.Name} }

// Validate checks that there is something to run, and that each argument can
// travel as a line. A line with a dot ends a section of questions.
func (c Command) Validate() error {
	if err := validateWord("command name", c.Name); err != nil {
		return err
	}
	switch {
	case len(c.Check) == 0 || len(c.Do) == 0:
		return errors.New("a command needs both check and do")
	case slices.Contains(c.Check, "."):
		return errors.New("check can't have the argument \".\": write ./")
	case c.Within < 0:
		return fmt.Errorf("within %s: want a time above zero, or none", c.Within)
	}
	return validateArguments(slices.Concat(c.Check, c.Do))
}

// Digest covers what is run and expected.
func (c Command) Digest() string {
	parts := []string{"command", c.Name, c.Expect, c.Input, strconv.Itoa(len(c.Check))}
	return digest(slices.Concat(parts, c.Check, c.Do)...)
}

// Ask wants the check run.
func (c Command) Ask(q *Questions) { q.Checks = append(q.Checks, Check{Name: c.Name, Args: c.Check}) }

// Want is a check that succeeds with the expected output.
func (c Command) Want(View) State {
	want := State{{"check", "passes"}}
	if c.Expect != "" {
		want = append(want, Attribute{"output", Sum([]byte(strings.TrimRight(c.Expect, "\n") + "\n"))})
	}
	return want
}

// Have is how the check ended.
func (c Command) Have(v View) State {
	fact, ok := v.Facts.Checks[c.Name]
	if !ok {
		return nil
	}
	if fact.Status != 0 {
		return State{{"check", fmt.Sprintf("fails with status %d", fact.Status)}}
	}
	return State{{"check", "passes"}, {"output", fact.Sum}}
}

// Bring runs the command.
func (c Command) Bring(v View, _ Materials) (Operations, error) {
	do := Op{Verb: "run", Args: append([]string{seconds(c.Within), encode(c.Input)}, c.Do...)}
	check := Op{Verb: "run", Args: append([]string{"0", ""}, c.Check...)}
	return Operations{Ops: []Op{do, check}, Applied: c.Want(v)}, nil
}

// seconds is a time in whole seconds, for an Op's argument: a fraction becomes
// the second that it is in.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// validateArguments checks that each argument can travel as a line.
func validateArguments(args []string) error {
	for _, arg := range args {
		if strings.ContainsAny(arg, "\n\x00") {
			return fmt.Errorf("argument %q: must be one line", arg)
		}
	}
	return nil
}

package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// terminal is as much of a terminal as the live view uses. It neither wraps nor
// forgives: what it doesn't know fails the test.
type terminal struct {
	t           *testing.T
	width       int
	rows        [][]rune
	row, column int
	cursor      bool
	highest     int
}

func newTerminal(t *testing.T, width int) *terminal {
	return &terminal{t: t, width: width, rows: [][]rune{{}}, cursor: true}
}

var sequencePattern = regexp.MustCompile(`^\x1b\[(\??[0-9]*)([A-Za-z])`)

func (t *terminal) Write(data []byte) (int, error) {
	text := string(data)
	for text != "" {
		if m := sequencePattern.FindStringSubmatch(text); m != nil {
			t.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			t.column = 0
		case '\n':
			t.row++
			if t.row == len(t.rows) {
				t.rows = append(t.rows, nil)
			}
		default:
			t.put(r)
		}
	}
	t.highest = max(t.highest, len(t.rows))
	return len(data), nil
}

func (t *terminal) put(r rune) {
	if unprintable(r) {
		t.t.Errorf("unexpected control character %q", r)
	}
	if t.column >= t.width-1 {
		t.t.Errorf("line %d reaches the last column", t.row)
	}
	line := t.rows[t.row]
	for len(line) <= t.column {
		line = append(line, ' ')
	}
	line[t.column] = r
	t.rows[t.row] = line
	t.column++
}

func (t *terminal) control(parameter, final string) {
	switch {
	case final == "A":
		n, _ := strconv.Atoi(parameter)
		t.row = max(0, t.row-n)
	case final == "K":
		t.rows[t.row] = t.rows[t.row][:min(t.column, len(t.rows[t.row]))]
	case final == "J":
		t.rows = t.rows[:t.row+1]
		t.rows[t.row] = t.rows[t.row][:min(t.column, len(t.rows[t.row]))]
	case final == "m":
	case parameter == "?25":
		t.cursor = final == "h"
	default:
		t.t.Errorf("unexpected sequence %s%s", parameter, final)
	}
}

// resize changes the width as terminals do that wrap again: a line that no
// longer fits goes on in the next row.
func (t *terminal) resize(width int) {
	var rows [][]rune
	row := 0
	for i, line := range t.rows {
		if i == t.row {
			row = len(rows)
		}
		for len(line) > width {
			rows, line = append(rows, line[:width:width]), line[width:]
		}
		rows = append(rows, line)
	}
	t.rows, t.row, t.width = rows, row, width
}

func (t *terminal) String() string {
	lines := make([]string, len(t.rows))
	for i, row := range t.rows {
		lines[i] = strings.TrimRight(string(row), " ")
	}
	return strings.Join(lines, "\n")
}

func plainLines(texts ...string) [][]span {
	lines := make([][]span, len(texts))
	for i, text := range texts {
		lines[i] = []span{{text, toneGood}}
	}
	return lines
}

func TestScreen_ReplacesItsLinesOnly(t *testing.T) {
	terminal := newTerminal(t, 80)
	fmt.Fprint(terminal, "$ provision\r\n")
	var s screen
	write := func(data []byte) { _, _ = terminal.Write(data) }
	write(s.replace(plainLines("one", "a long second line", "three"), 80, true))
	write(s.replace(plainLines("1", "2"), 80, false))
	if got, want := terminal.String(), "$ provision\n1\n2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if terminal.cursor {
		t.Error("the cursor shows while drawing")
	}
	write(s.clear(80))
	if got, want := terminal.String(), "$ provision\n"; got != want || !terminal.cursor {
		t.Errorf("after clear: %q, cursor %v", got, terminal.cursor)
	}
	if again := s.clear(80); again != nil {
		t.Errorf("cleared twice: %q", again)
	}
}

func TestScreen_GoesUpWhatANarrowerTerminalWrapped(t *testing.T) {
	var s screen
	s.replace(plainLines(strings.Repeat("x", 79), "short"), 80, false)
	if got := string(s.replace(nil, 40, false)); !strings.HasPrefix(got, "\x1b[3A\r") {
		t.Errorf("got %q", got)
	}
}

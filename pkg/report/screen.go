package report

import (
	"bytes"
	"fmt"
)

// The control sequences of ECMA-48 and DEC that redrawing needs.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
	moveUp     = "\x1b[%dA"
)

// screen redraws lines in place. It remembers how wide the lines are that it
// drew: a terminal that was made narrower since has wrapped them.
type screen struct {
	drawn []int
	begun bool
}

// replace is what to write so that lines take the place of the last ones. The
// lines are clean and narrower than the terminal.
func (s *screen) replace(lines [][]span, width int, colour bool) []byte {
	var out bytes.Buffer
	if !s.begun {
		out.WriteString(hideCursor)
		s.begun = true
	}
	s.home(&out, width)
	s.drawn = s.drawn[:0]
	for _, line := range lines {
		n := 0
		for _, part := range line {
			n += columns(part.text)
			if colour && part.tone != tonePlain {
				out.WriteString(part.tone.ansi() + part.text + ansiReset)
			} else {
				out.WriteString(part.text)
			}
		}
		out.WriteString(eraseRight + "\r\n")
		s.drawn = append(s.drawn, n)
	}
	out.WriteString(eraseBelow)
	return out.Bytes()
}

// home moves the cursor to where the last lines begin.
func (s *screen) home(out *bytes.Buffer, width int) {
	rows := 0
	for _, n := range s.drawn {
		rows += max(1, (n+max(width, 1)-1)/max(width, 1))
	}
	if rows > 0 {
		fmt.Fprintf(out, moveUp, rows)
	}
	out.WriteByte('\r')
}

// clear is what to write to take the last lines away and give the cursor back.
func (s *screen) clear(width int) []byte {
	if !s.begun {
		return nil
	}
	var out bytes.Buffer
	s.home(&out, width)
	out.WriteString(eraseBelow + showCursor)
	s.drawn, s.begun = nil, false
	return out.Bytes()
}

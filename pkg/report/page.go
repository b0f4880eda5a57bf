package report

import (
	"bytes"
	"io"
	"strings"
)

// span is text of one tone. It may hold anything: the page cleans it.
type span struct {
	text string
	tone tone
}

// cell is one character of a line.
type cell struct {
	r    rune
	tone tone
}

// page collects lines, cleaned, wrapped and coloured, and writes them at once.
type page struct {
	w     io.Writer
	style Style
	out   bytes.Buffer
}

func newPage(w io.Writer, style Style) *page { return &page{w: w, style: style} }

// flush writes what was collected.
func (p *page) flush() {
	_, _ = p.w.Write(p.out.Bytes())
	p.out.Reset()
}

// blank adds an empty line.
func (p *page) blank() { p.out.WriteByte('\n') }

// line adds a line. What doesn't fit goes on below, indented by hang; words are
// never cut.
func (p *page) line(indent, hang int, spans ...span) {
	p.wrapped(indent, hang, false, spans)
}

// verbatim adds a line whose words may be cut to fit.
func (p *page) verbatim(indent int, s span) {
	p.wrapped(indent, indent+2, true, []span{s})
}

// fits tells whether a line can be written without being wrapped.
func (p *page) fits(indent int, spans ...span) bool {
	if p.style.Width <= 0 {
		return true
	}
	n := indent
	for _, s := range spans {
		n += columns(clean(s.text))
	}
	return n <= p.style.Width
}

func (p *page) wrapped(indent, hang int, cutWords bool, spans []span) {
	cells := cellsOf(spans)
	for {
		limit := len(cells) + 1
		if p.style.Width > 0 {
			limit = max(p.style.Width-indent, 8)
		}
		line, rest := breakLine(cells, limit, cutWords)
		p.write(indent, line)
		if len(rest) == 0 {
			return
		}
		cells, indent = rest, hang
	}
}

func cellsOf(spans []span) []cell {
	var cells []cell
	for _, s := range spans {
		for _, r := range clean(s.text) {
			cells = append(cells, cell{r, s.tone})
		}
	}
	return cells
}

// breakLine takes the cells that fit into limit columns: up to the last space
// that does, else up to the next one, or through the word where that is allowed.
func breakLine(cells []cell, limit int, cutWords bool) (line, rest []cell) {
	n, space, text := 0, -1, false
	for i, c := range cells {
		if c.r == ' ' && text {
			space = i
		}
		text = text || c.r != ' '
		n += runeColumns(c.r)
		if n <= limit {
			continue
		}
		switch {
		case space > 0:
			return cells[:space], trimLeft(cells[space:])
		case cutWords && i > 0:
			return cells[:i], cells[i:]
		}
	}
	if n > limit && space > 0 {
		return cells[:space], trimLeft(cells[space:])
	}
	return cells, nil
}

func trimLeft(cells []cell) []cell {
	for len(cells) > 0 && cells[0].r == ' ' {
		cells = cells[1:]
	}
	return cells
}

func (p *page) write(indent int, cells []cell) {
	for len(cells) > 0 && cells[len(cells)-1].r == ' ' {
		cells = cells[:len(cells)-1]
	}
	if len(cells) > 0 {
		p.out.WriteString(strings.Repeat(" ", indent))
	}
	current := tonePlain
	for _, c := range cells {
		if p.style.Colour && c.tone != current {
			if current != tonePlain {
				p.out.WriteString(ansiReset)
			}
			p.out.WriteString(c.tone.ansi())
			current = c.tone
		}
		p.out.WriteRune(c.r)
	}
	if current != tonePlain {
		p.out.WriteString(ansiReset)
	}
	p.out.WriteByte('\n')
}

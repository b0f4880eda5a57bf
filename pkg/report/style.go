package report

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Style is how text is written.
type Style struct {
	// Width is where lines are wrapped, in columns; 0 leaves lines as long as
	// they are, for files and pipes.
	Width int
	// Colour allows ANSI colours.
	Colour bool
	// Live allows to redraw what has been written.
	Live bool
}

// chartWidth is the width of tables and charts when the style has none.
const chartWidth = 80

// chart is the width to fit charts into.
func (s Style) chart() int {
	if s.Width <= 0 {
		return chartWidth
	}
	return s.Width
}

// DetectStyle finds the style that fits a writer and the process's environment:
// colour and a live view on a terminal, unless NO_COLOR, CI or TERM=dumb is
// set; plain lines of any length elsewhere.
func DetectStyle(w io.Writer) Style {
	width, _ := terminalSize(w)
	return detectStyle(width, os.Getenv)
}

func detectStyle(width int, getenv func(string) string) Style {
	if width <= 0 {
		return Style{}
	}
	plain := getenv("NO_COLOR") != "" || getenv("CI") != "" || getenv("TERM") == "dumb"
	return Style{Width: width, Colour: !plain, Live: !plain}
}

// terminalSize is the size of the terminal behind a writer, zeros when there is
// none.
func terminalSize(w io.Writer) (width, height int) {
	file, ok := w.(interface{ Fd() uintptr }) // a file, or what stands for one
	if !ok {
		return 0, 0
	}
	fd := int(file.Fd())
	width, height, err := term.GetSize(fd)
	switch {
	case err != nil:
		return 0, 0
	case width <= 0: // a terminal that doesn't know its size, as on a serial line
		return chartWidth, 24
	}
	return width, height
}

// tone is what a piece of text means; the page gives it a colour.
type tone int

const (
	tonePlain tone = iota
	toneBold
	toneDim
	toneGood
	toneNote
	toneWarn
	toneBad
)

// ansi starts a tone on a terminal, as SGR parameters of ECMA-48.
func (t tone) ansi() string {
	switch t {
	case toneBold:
		return "\x1b[1m"
	case toneDim:
		return "\x1b[2m"
	case toneGood:
		return "\x1b[32m"
	case toneNote:
		return "\x1b[36m"
	case toneWarn:
		return "\x1b[33m"
	case toneBad:
		return "\x1b[31m"
	case tonePlain:
	}
	return ""
}

// ansiReset ends any tone.
const ansiReset = "\x1b[0m"

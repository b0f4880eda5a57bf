package report

import (
	"fmt"
	"io"
	"strings"

	"provision/pkg/converge"
)

// writeStageEnd writes the line of a stage that ended: host, stage, how it
// ended, how long it took and how much was uploaded.
func writeStageEnd(w io.Writer, style Style, state *progressState, host *hostProgress, event converge.Event) {
	name := pad(clean(event.Host), min(state.nameWidth, longestName))
	stage := pad(clean(event.Stage), state.stageWidth)
	p := newPage(w, style)
	if event.Kind == converge.EventStageDone {
		text := fmt.Sprintf("%s  %s  done    %8s", name, stage, seconds(event.Seconds))
		if host.stageBytes > 0 {
			text += fmt.Sprintf("  %9s", megabytes(host.stageBytes))
		}
		p.line(0, 2, span{text, tonePlain})
		p.flush()
		return
	}
	word := "failed"
	if isBlocked(event.Err) {
		word = "blocked"
	}
	p.line(0, 2, span{fmt.Sprintf("%s  %s  %-7s  ", name, stage, word), tonePlain}, span{firstLine(event), tonePlain})
	p.flush()
}

// firstLine is what a stage failed with in a line; the rest follows in the
// outcome.
func firstLine(event converge.Event) string {
	problems := problemsOf(event.Host, event.Err)
	if len(problems) == 0 {
		return ""
	}
	return strings.TrimPrefix(problems[0].headline, "stage "+event.Stage+": ")
}

// writeResourceBegun writes the line of a resource, or an upload, that is begun.
func writeResourceBegun(w io.Writer, style Style, state *progressState, event converge.Event) {
	name := pad(clean(event.Host), min(state.nameWidth, longestName))
	stage := pad(clean(event.Stage), state.stageWidth)
	text := "begun    " + event.Resource.String()
	if event.Kind == converge.EventUploadStarted {
		text = "upload   " + event.Resource.String() + ", " + megabytes(event.Total)
	}
	p := newPage(w, style)
	p.line(0, 2, span{name + "  " + stage + "  ", tonePlain}, span{text, toneDim})
	p.flush()
}

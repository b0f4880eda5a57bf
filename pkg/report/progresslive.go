package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// liveView lays the state out for a terminal of a size. Its lines are never
// wider than the terminal less one column, and fewer than it has rows.
type liveView struct {
	width, height int
	now           time.Time
	colour        bool
}

// lines are one per host, or per stage where the hosts don't fit, and a last one
// for all.
func (v liveView) lines(state *progressState) [][]span {
	room := v.height - 2 // without the total, and the line that the cursor is on
	var lines [][]span
	switch {
	case room <= 0:
	case len(state.hosts) <= room:
		for _, h := range state.hosts {
			lines = append(lines, v.hostLine(state, h))
		}
	default:
		lines = v.stageLines(state, room)
	}
	return append(lines, v.join([]span{{v.totals(state), toneBold}}, elapsed(v.now.Sub(state.began))))
}

func (v liveView) totals(state *progressState) string {
	done, failed := 0, 0
	var bytes int64
	for _, h := range state.hosts {
		bytes += h.bytes
		switch h.phase {
		case phaseDone:
			done++
		case phaseFailed, phaseBlocked:
			failed++
		case phasePending, phaseWaiting, phaseWorking, phaseUploading:
		}
	}
	text := fmt.Sprintf("%d of %s done", done, count(len(state.hosts), "host"))
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if bytes > 0 {
		text += ", " + megabytes(bytes) + " uploaded"
	}
	return text
}

// hostLine says what one host is at.
func (v liveView) hostLine(state *progressState, h *hostProgress) []span {
	width := min(state.nameWidth, longestName)
	spans := []span{{pad(cut(clean(h.name), width), width) + "  ", tonePlain}}
	until := v.now
	switch h.phase {
	case phaseDone:
		until = h.last
		spans = append(spans, span{"done  ", toneGood}, span{count(h.changes, "change"), tonePlain})
	case phaseFailed:
		until = h.last
		spans = append(spans, span{"failed in " + h.stage, toneBad}, span{": " + h.failure, tonePlain})
	case phaseBlocked:
		until = h.last
		spans = append(spans, span{"blocked  ", toneWarn}, span{h.failure, tonePlain})
	case phasePending, phaseWaiting, phaseWorking, phaseUploading:
		stage := clean(h.stage)
		if v.width >= chartWidth {
			stage = pad(stage, state.stageWidth)
		}
		spans = append(spans, span{fmt.Sprintf("%d/%d %s  ", min(h.ended+1, h.stages), h.stages, stage), toneDim})
		spans = append(spans, v.doing(h)...)
	}
	return v.join(spans, elapsed(until.Sub(h.first)))
}

func (v liveView) doing(h *hostProgress) []span {
	switch h.phase {
	case phaseWaiting:
		return []span{{"waits for " + h.waitsFor(), toneDim}}
	case phaseUploading:
		return v.upload(h)
	case phasePending, phaseWorking, phaseDone, phaseFailed, phaseBlocked:
	}
	if h.resource.Kind == "" {
		return nil
	}
	return []span{{h.resource.String(), tonePlain}}
}

// barWidth is the upload bar's width.
const barWidth = 12

// upload shows an upload: a bar, how much of how much, the rate, and the file.
func (v liveView) upload(h *hostProgress) []span {
	part := 0.0
	if h.total > 0 {
		part = min(float64(h.uploaded)/float64(h.total), 1)
	}
	full := int(part * barWidth)
	text := fmt.Sprintf(" %.1f/%s", float64(h.uploaded)/1e6, megabytes(h.total))
	if rate := h.rate(v.now); rate > 0 {
		text += fmt.Sprintf(" %.1f MB/s", rate/1e6)
	}
	file := h.resource.Name[strings.LastIndex(h.resource.Name, "/")+1:]
	return []span{
		{strings.Repeat("█", full), toneNote},
		{strings.Repeat("░", barWidth-full), toneDim},
		{text, tonePlain},
		{" " + file, toneDim},
	}
}

// join puts text at the left and the right edge of a line, cutting the left one
// where they don't fit.
func (v liveView) join(left []span, right string) []span {
	room := v.width - 1 - len(right) - 1
	if room < 10 { // too narrow for both
		return cutSpans(left, v.width-1)
	}
	left = cutSpans(left, room)
	used := 0
	for _, s := range left {
		used += columns(s.text)
	}
	return append(left, span{strings.Repeat(" ", room-used+1), tonePlain}, span{right, toneDim})
}

// cutSpans cleans spans and cuts them to a number of columns.
func cutSpans(spans []span, to int) []span {
	total := 0
	cleaned := make([]span, len(spans))
	for i, s := range spans {
		cleaned[i] = span{clean(s.text), s.tone}
		total += columns(cleaned[i].text)
	}
	if total <= to {
		return cleaned
	}
	var short []span
	for _, s := range cleaned {
		n := columns(s.text)
		if n >= to {
			if n == to {
				s.text += " " // make cut show that something follows
			}
			return append(short, span{cut(s.text, to), s.tone})
		}
		short = append(short, s)
		to -= n
	}
	return short
}

// stageCounts counts the hosts in a stage by what they are at.
type stageCounts struct {
	name                     string
	working, uploading, idle int
	waiting                  map[string]int
	waits                    []string
}

// stageLines are one line per stage that hosts are in.
func (v liveView) stageLines(state *progressState, room int) [][]span {
	var stages []*stageCounts
	byName := map[string]*stageCounts{}
	for _, h := range state.hosts {
		if h.phase == phaseDone || h.phase == phaseFailed || h.phase == phaseBlocked {
			continue
		}
		s := byName[h.stage]
		if s == nil {
			s = &stageCounts{name: h.stage, waiting: map[string]int{}}
			byName[h.stage] = s
			stages = append(stages, s)
		}
		s.add(h)
	}
	slices.SortStableFunc(stages, func(a, b *stageCounts) int { return cmp.Compare(state.order[a.name], state.order[b.name]) })
	var lines [][]span
	for i, s := range stages {
		slices.Sort(s.waits)
		if len(lines) == room-1 && i < len(stages)-1 {
			return append(lines, v.join([]span{{"and " + count(len(stages)-i, "more stage"), toneDim}}, ""))
		}
		lines = append(lines, cutSpans([]span{{pad(clean(s.name), state.stageWidth) + "  ", toneDim}, {s.text(), tonePlain}}, v.width-1))
	}
	return lines
}

func (s *stageCounts) add(h *hostProgress) {
	switch h.phase {
	case phaseUploading:
		s.uploading++
	case phaseWorking:
		s.working++
	case phaseWaiting:
		waits := h.waitsFor()
		if s.waiting[waits] == 0 {
			s.waits = append(s.waits, waits)
		}
		s.waiting[waits]++
	case phasePending, phaseDone, phaseFailed, phaseBlocked:
		s.idle++
	}
}

func (s *stageCounts) text() string {
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{s.working, "working"}, {s.uploading, "uploading"}, {s.idle, "about to go on"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	for _, waits := range s.waits {
		parts = append(parts, fmt.Sprintf("%d wait for %s", s.waiting[waits], waits))
	}
	return strings.Join(parts, ", ")
}

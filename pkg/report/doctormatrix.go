package report

import (
	"strings"

	"provision/pkg/doctor"
)

// matrixPitch is the width of a check's column. A heading takes up to two, so
// every other one stands a line lower.
const matrixPitch = 4

// matrixRow is hosts with the same level in every check.
type matrixRow struct {
	hosts  []string
	levels []doctor.Level
}

// matrixRows groups hosts in the order of the first of each group.
func matrixRows(e doctor.Examination) []*matrixRow {
	var rows []*matrixRow
	byKey := map[string]*matrixRow{}
	for _, host := range e.Hosts {
		var levels []doctor.Level
		key := ""
		for _, check := range doctor.Checks() {
			level := host.Level(check)
			levels = append(levels, level)
			key += string(level) + " "
		}
		row := byKey[key]
		if row == nil {
			row = &matrixRow{levels: levels}
			byKey[key] = row
			rows = append(rows, row)
		}
		row.hosts = append(row.hosts, host.Host)
	}
	return rows
}

// label names the hosts if there is room, else counts them.
func (r *matrixRow) label(width int) string {
	label := clean(hostNames(r.hosts))
	if columns(label) > width && len(r.hosts) > 1 {
		label = count(len(r.hosts), "host")
	}
	return cut(label, width)
}

// writeMatrix writes a row for each group of hosts, a column for each check.
func writeMatrix(p *page, e doctor.Examination) {
	checks, rows := doctor.Checks(), matrixRows(e)
	most := p.style.chart() - len(checks)*matrixPitch - matrixPitch
	width := 0
	for _, row := range rows {
		width = max(width, columns(clean(hostNames(row.hosts))))
	}
	width = min(width, most)
	for line := range 2 {
		heading := strings.Repeat(" ", width+2)
		for i, check := range checks {
			if i%2 == line {
				heading = pad(heading, width+2+i*matrixPitch) + check
			}
		}
		p.line(0, 0, span{heading, toneDim})
	}
	for _, row := range rows {
		spans := []span{{pad(row.label(width), width+2), toneBold}}
		for _, level := range row.levels {
			mark, tone := levelMark(level)
			spans = append(spans, span{mark + strings.Repeat(" ", matrixPitch-1), tone})
		}
		p.line(0, 0, spans...)
	}
}

package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"provision/pkg/converge"
)

// HistoryFormat names the format of HistoryDocument and its version.
const HistoryFormat = "provision.history/1"

// HistoryDocument is what runs did to the hosts, as JSON.
type HistoryDocument struct {
	Format string        `json:"format"`
	Hosts  []HistoryHost `json:"hosts"`
}

// HistoryHost is what one host remembers, the oldest run first.
type HistoryHost struct {
	Host  string       `json:"host"`
	Error string       `json:"error,omitempty"`
	Runs  []HistoryRun `json:"runs"`
}

// HistoryRun is a run that changed a host.
type HistoryRun struct {
	converge.Run

	Changes []HistoryChange `json:"changes"`
}

// HistoryChange is what a run did to a resource.
type HistoryChange struct {
	Stage    string `json:"stage"`
	Resource string `json:"resource"`
	Action   string `json:"action"`
	Cause    string `json:"cause"`
	// RolledBack tells that the run itself has put it back.
	RolledBack bool `json:"rolledBack,omitempty"`
}

// HistoryJSON is the document of histories, indented.
func HistoryJSON(histories []converge.HostHistory) ([]byte, error) {
	document := HistoryDocument{Format: HistoryFormat, Hosts: []HistoryHost{}}
	for _, history := range histories {
		host := HistoryHost{Host: history.Host, Error: errorText(history.Err), Runs: []HistoryRun{}}
		for _, run := range history.Runs {
			told := HistoryRun{Run: run.Run, Changes: []HistoryChange{}}
			for _, c := range run.Changes {
				told.Changes = append(told.Changes, HistoryChange{c.Stage, c.Resource.String(), string(c.Action), string(c.Cause), c.RolledBack})
			}
			host.Runs = append(host.Runs, told)
		}
		document.Hosts = append(document.Hosts, host)
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write history: %w", err)
	}
	return text, nil
}

// WriteHistory writes what runs did to each host, the newest first; all changes
// of each when verbose.
func WriteHistory(w io.Writer, histories []converge.HostHistory, style Style, verbose bool) {
	p := newPage(w, style)
	for _, history := range histories {
		p.line(0, 2, span{history.Host, toneBold})
		switch {
		case history.Err != nil:
			p.line(2, 4, span{history.Err.Error(), toneBad})
		case len(history.Runs) == 0:
			p.line(2, 4, span{"no run is remembered", toneDim})
		}
		for i := len(history.Runs) - 1; i >= 0; i-- {
			writePastRun(p, history.Runs[i], verbose)
		}
	}
	p.flush()
}

func writePastRun(p *page, run converge.PastRun, verbose bool) {
	back := 0
	for _, change := range run.Changes {
		if change.RolledBack {
			back++
		}
	}
	text := fmt.Sprintf("  %s  %s  %s", run.Time.UTC().Format(time.DateTime+" UTC"), run.By, count(len(run.Changes), "change"))
	if back > 0 {
		text += fmt.Sprintf(", %d rolled back", back)
	}
	p.line(2, 4, span{run.ID, toneBold}, span{text, tonePlain})
	if !verbose {
		return
	}
	for _, change := range run.Changes {
		symbol, tone := actionSymbol(change.Action)
		end := ""
		if change.RolledBack {
			end = ", rolled back"
		}
		p.line(4, 6, span{symbol + " ", tone}, span{fmt.Sprintf("%s %s (%s%s)", change.Action, change.Resource, change.Cause, end), tonePlain})
	}
}

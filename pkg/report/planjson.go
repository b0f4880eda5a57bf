package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"provision/pkg/converge"
)

// PlanFormat names the format of PlanDocument. Its number grows when a reader
// of the old format would misread the new one; new fields leave it as it is.
const PlanFormat = "provision.plan/1"

// PlanDocument is a plan as JSON.
type PlanDocument struct {
	// Format is PlanFormat.
	Format  string      `json:"format"`
	Summary PlanSummary `json:"summary"`
	// Hosts are in the inventory's order.
	Hosts []PlanHost `json:"hosts"`
}

// PlanSummary counts what a plan does.
type PlanSummary struct {
	converge.Summary
	// Causes counts the changes by cause.
	Causes CauseCounts `json:"causes"`
}

// CauseCounts counts changes by converge.Cause.
type CauseCounts struct {
	New     int `json:"new"`
	Change  int `json:"change"`
	Drift   int `json:"drift"`
	Both    int `json:"both"`
	Follows int `json:"follows"`
	Renewal int `json:"renewal"`
	Orphan  int `json:"orphan"`
	// Rollback counts what is brought back; of a rollback's plan only.
	Rollback int `json:"rollback,omitempty"`
	// Adopted counts what is remembered as it stands; of an adoption's plan only.
	Adopted int `json:"adopted,omitempty"`
}

// PlanHost is what a run will do on one host.
type PlanHost struct {
	Host string `json:"host"`
	// Error tells why the host could not be looked at; nothing is planned then.
	Error string `json:"error,omitempty"`
	// Logins are the last ones on a host that was changed behind provision's back.
	Logins []string `json:"logins,omitempty"`
	// Stages are all stages of the host in their order, also without changes.
	Stages []converge.StagePlan `json:"stages"`
}

// NewPlanDocument is the document of a plan.
func NewPlanDocument(plan *converge.Plan) PlanDocument {
	document := PlanDocument{
		Format:  PlanFormat,
		Summary: PlanSummary{Summary: plan.Summary(), Causes: countCauses(plan)},
		Hosts:   make([]PlanHost, len(plan.Hosts)),
	}
	for i, host := range plan.Hosts {
		document.Hosts[i] = PlanHost{Host: host.Host, Error: errorText(host.Err), Logins: host.Logins, Stages: append([]converge.StagePlan{}, host.Stages...)}
	}
	return document
}

// PlanJSON is a plan as a PlanDocument, indented.
func PlanJSON(plan *converge.Plan) ([]byte, error) {
	return marshal(NewPlanDocument(plan))
}

func marshal(document any) ([]byte, error) {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return printableJSON(text), nil
}

// printableJSON writes the characters that could drive a terminal as \u escapes
// where JSON doesn't ask for it. Outside of strings JSON has none.
func printableJSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, needsEscape) {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !needsEscape(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

func needsEscape(r rune) bool { return r != '\n' && unprintable(r) }

func countCauses(plan *converge.Plan) CauseCounts {
	var counts CauseCounts
	for _, host := range plan.Hosts {
		for _, change := range host.Changes() {
			switch change.Cause {
			case converge.CauseNew:
				counts.New++
			case converge.CauseChange:
				counts.Change++
			case converge.CauseDrift:
				counts.Drift++
			case converge.CauseBoth:
				counts.Both++
			case converge.CauseFollows:
				counts.Follows++
			case converge.CauseRenewal:
				counts.Renewal++
			case converge.CauseOrphan:
				counts.Orphan++
			case converge.CauseRollback:
				counts.Rollback++
			case converge.CauseAdopted:
				counts.Adopted++
			}
		}
	}
	return counts
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

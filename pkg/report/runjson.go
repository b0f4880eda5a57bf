package report

import (
	"time"

	"provision/pkg/converge"
)

// RunFormat names the format of RunDocument; see PlanFormat for when its number
// grows.
const RunFormat = "provision.run/1"

// RunDocument is a run as JSON: what was planned, how it ended on each host,
// and what the verification found.
type RunDocument struct {
	// Format is RunFormat.
	Format string `json:"format"`
	// Cluster is the cluster's name.
	Cluster string       `json:"cluster,omitempty"`
	Run     converge.Run `json:"run"`
	// Ended is when the run did, Exit its exit code, and Error what ended it,
	// besides what failed on single hosts.
	Ended   time.Time  `json:"ended,omitzero"`
	Exit    int        `json:"exit"`
	Error   string     `json:"error,omitempty"`
	Summary RunSummary `json:"summary"`
	// Hosts are in the inventory's order.
	Hosts []RunHost `json:"hosts"`
	// Verification is absent when the cluster was not verified.
	Verification *VerifyDocument `json:"verification,omitempty"`
	// CriticalPath is what the end of the run waited for, first things first.
	CriticalPath []PathStep `json:"criticalPath"`
	// SlowestSteps are the resources that took longest.
	SlowestSteps []Step       `json:"slowestSteps"`
	Plan         PlanDocument `json:"plan"`
}

// RunSummary counts hosts by how the run ended on them.
type RunSummary struct {
	Hosts       int `json:"hosts"`
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Failed      int `json:"failed"`
	Blocked     int `json:"blocked"`
	Unreachable int `json:"unreachable"`
	// Skipped have planned changes, of which none was begun.
	Skipped int `json:"skipped"`
	// Changes were made, on all hosts together.
	Changes int `json:"changes"`
	// Seconds are from the first stage's start to the last one's end.
	Seconds float64 `json:"seconds"`
}

// RunHost is how a run ended on one host.
type RunHost struct {
	Host  string    `json:"host"`
	State HostState `json:"state"`
	// Changes were made.
	Changes int `json:"changes"`
	// Seconds are from the host's first stage to its last.
	Seconds float64 `json:"seconds"`
	// Error is what failed, as text.
	Error string `json:"error,omitempty"`
	// Stages ran in this order; stages without changes are left out.
	Stages []RunStage `json:"stages"`
}

// RunStage is when a stage ran on a host, by the clock of the machine that ran
// provision.
type RunStage struct {
	Stage string `json:"stage"`
	// Offset is the seconds from the start of the first stage of any host.
	Offset  float64   `json:"offset"`
	Seconds float64   `json:"seconds"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
}

// slowestSteps is how many steps are told of.
const slowestSteps = 20

// NewRunDocument is the document of a run.
func NewRunDocument(account *Account) RunDocument {
	outcome, plan := account.Settled(), account.Plan
	if plan == nil {
		plan = &converge.Plan{}
	}
	document := RunDocument{
		Format: RunFormat, Cluster: account.Cluster, Run: account.Run, Ended: account.Ended,
		Exit: account.Exit, Error: errorText(account.Err),
		Summary: summarize(outcome), Hosts: []RunHost{},
		CriticalPath: criticalPath(plan, outcome),
		SlowestSteps: account.Steps.Slowest(slowestSteps),
		Plan:         NewPlanDocument(plan),
	}
	if account.Checks != nil {
		verification := Checks(account.Checks)
		document.Verification = &verification
	}
	begin, _ := runTimes(outcome)
	for _, host := range outcome.Hosts {
		document.Hosts = append(document.Hosts, newRunHost(host, begin))
	}
	return document
}

func runTimes(outcome *converge.Outcome) (begin, end time.Time) {
	for _, host := range outcome.Hosts {
		for _, timing := range host.Stages {
			if begin.IsZero() || timing.Start.Before(begin) {
				begin = timing.Start
			}
			if timing.End.After(end) {
				end = timing.End
			}
		}
	}
	return begin, end
}

func newRunHost(host converge.HostOutcome, begin time.Time) RunHost {
	runHost := RunHost{
		Host:    host.Host,
		State:   stateOf(host),
		Changes: host.Changed,
		Seconds: milliseconds(spent(host)),
		Error:   errorText(host.Err),
		Stages:  []RunStage{},
	}
	for _, timing := range stagesRun(host) {
		runHost.Stages = append(runHost.Stages, RunStage{
			Stage:   timing.Stage,
			Offset:  milliseconds(timing.Start.Sub(begin)),
			Seconds: milliseconds(timing.End.Sub(timing.Start)),
			Start:   timing.Start,
			End:     timing.End,
		})
	}
	return runHost
}

func summarize(outcome *converge.Outcome) RunSummary {
	begin, end := runTimes(outcome)
	s := RunSummary{Hosts: len(outcome.Hosts), Seconds: milliseconds(end.Sub(begin))}
	for _, host := range outcome.Hosts {
		s.Changes += host.Changed
		switch stateOf(host) {
		case StateOK:
			s.OK++
		case StateChanged:
			s.Changed++
		case StateFailed:
			s.Failed++
		case StateBlocked:
			s.Blocked++
		case StateUnreachable:
			s.Unreachable++
		case StateSkipped:
			s.Skipped++
		}
	}
	return s
}

// milliseconds are seconds to the third decimal.
func milliseconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// RunJSON is a run as a RunDocument, indented.
func RunJSON(account *Account) ([]byte, error) { return marshal(NewRunDocument(account)) }

package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"provision/pkg/converge"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// htmlPage is what page.html.tmpl shows. Its texts are clean; the template
// escapes them for where they stand.
type htmlPage struct {
	Title, Heading, Policy string
	Style                  template.CSS
	Verdict                htmlText
	Facts                  []htmlFact
	Sections               []htmlSection
	Tiles                  []htmlTile
	Planned                string
	Failures               []htmlFailure
	Timeline               htmlTimeline
	Stages                 []htmlStage
	Path                   []htmlPath
	Steps                  []htmlStep
	Changes                []htmlChanges
	ChangesNote            string
	Verification           htmlText
	Checks                 []htmlCheck
}

type htmlText struct{ Tone, Text string }

type htmlFact struct{ Name, Text string }

type htmlSection struct{ ID, Name string }

type htmlTile struct {
	Tone   string
	Number int
	Word   string
}

// HTML is a run as one HTML file that loads nothing: no script, no font, no
// image. Its size is bounded, whatever the number of hosts.
func HTML(account *Account) ([]byte, error) {
	page, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("page template: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, newHTMLPage(account)); err != nil {
		return nil, fmt.Errorf("write HTML: %w", err)
	}
	return out.Bytes(), nil
}

// policy allows the page its one style sheet and nothing else.
func policy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

func newHTMLPage(account *Account) *htmlPage {
	outcome, plan := account.Settled(), account.Plan
	if plan == nil {
		plan = &converge.Plan{}
	}
	summary := summarize(outcome)
	name := clean(account.Cluster)
	page := &htmlPage{
		Title:   strings.TrimSpace("provision " + name + " " + clean(account.Run.ID)),
		Heading: "Provisioning of " + name,
		Policy:  policy(pageStyle),
		Style:   template.CSS(pageStyle), //nolint:gosec // the embedded file
		Verdict: verdict(account, summary),
		Facts:   facts(account),
		Tiles:   tiles(summary),
		Planned: planned(plan),
		Steps:   htmlSteps(account.Steps.Slowest(slowestSteps)),
	}
	page.Failures = htmlFailures(account, outcome)
	path := criticalPath(plan, outcome)
	page.Path = htmlPathOf(path)
	spans := stageSpans(outcome)
	page.Stages = htmlStages(spans)
	page.Timeline = newHTMLTimeline(plan, outcome, spans, path)
	page.Changes, page.ChangesNote = htmlChangesOf(plan)
	page.Verification, page.Checks = htmlChecksOf(account.Checks)
	page.Sections = page.sections()
	return page
}

func (p *htmlPage) sections() []htmlSection {
	sections := []htmlSection{{"summary", "Summary"}}
	for _, section := range []struct {
		there bool
		htmlSection
	}{
		{len(p.Failures) > 0, htmlSection{"failures", "Failures"}},
		{len(p.Timeline.Rows) > 0, htmlSection{"timeline", "Timeline"}},
		{len(p.Timeline.Rows) > 0, htmlSection{"path", "Critical path"}},
		{len(p.Steps) > 0, htmlSection{"slowest", "Slowest steps"}},
		{len(p.Changes) > 0, htmlSection{"changes", "Changes"}},
		{true, htmlSection{"verification", "Verification"}},
	} {
		if section.there {
			sections = append(sections, section.htmlSection)
		}
	}
	return sections
}

// verdict says how the run ended, in a line.
func verdict(account *Account, s RunSummary) htmlText {
	exit := fmt.Sprintf(" (exit code %d)", account.Exit)
	missed := s.Failed + s.Blocked + s.Unreachable + s.Skipped
	switch {
	case account.Exit == 0 && s.Changes == 0:
		return htmlText{"good", "✔ Nothing to do: every host is as the inventory wants it" + exit}
	case account.Exit == 0:
		return htmlText{"good", "✔ Converged: every host is as the inventory wants it" + exit}
	case account.Exit == 130:
		return htmlText{"warn", "– Interrupted: " + missing(missed, s.Hosts) + exit}
	case account.Err != nil && missed == 0:
		return htmlText{"bad", "✘ Ended with an error" + exit}
	case missed > 0:
		return htmlText{"bad", "✘ " + missing(missed, s.Hosts) + exit}
	case countFailed(account.Checks) > 0:
		return htmlText{"bad", "✘ The hosts are converged, and the verification found faults" + exit}
	}
	return htmlText{"bad", "✘ Ended with a failure" + exit}
}

func missing(n, of int) string {
	if n == 1 {
		return "1 of " + count(of, "host") + " is not as the inventory wants it"
	}
	return fmt.Sprintf("%d of %s are not as the inventory wants them", n, count(of, "host"))
}

func facts(account *Account) []htmlFact {
	facts := []htmlFact{{"Run", clean(account.Run.ID)}, {"By", clean(account.Run.By)}}
	const form = "2006-01-02 15:04:05 MST"
	if !account.Run.Time.IsZero() {
		facts = append(facts, htmlFact{"Began", account.Run.Time.UTC().Format(form)})
	}
	if !account.Ended.IsZero() {
		facts = append(facts, htmlFact{"Ended", account.Ended.UTC().Format(form)})
		if took := account.Ended.Sub(account.Run.Time); !account.Run.Time.IsZero() && took >= 0 {
			facts = append(facts, htmlFact{"Took", took.Round(time.Second / 10).String()})
		}
	}
	return append(facts, htmlFact{"Inventory", "sha256:" + clean(account.Run.Inventory)})
}

// tiles count the hosts by how the run ended on them, and the changes.
func tiles(s RunSummary) []htmlTile {
	tiles := []htmlTile{{"", s.Hosts, nounOf(s.Hosts, "host")}}
	for _, tile := range []htmlTile{
		{"good", s.Changed, "changed"},
		{"good", s.OK, "ok"},
		{"bad", s.Failed, "failed"},
		{"warn", s.Blocked, "blocked"},
		{"bad", s.Unreachable, "unreachable"},
		{"warn", s.Skipped, "skipped"},
	} {
		if tile.Number > 0 {
			tile.Word = stateSymbol(HostState(tile.Word)) + " " + tile.Word
			tiles = append(tiles, tile)
		}
	}
	return append(tiles, htmlTile{"", s.Changes, nounOf(s.Changes, "change") + " made"})
}

func nounOf(n int, noun string) string {
	_, word, _ := strings.Cut(count(n, noun), " ")
	return word
}

// stateSymbol says a state without colour.
func stateSymbol(state HostState) string {
	switch state {
	case StateOK, StateChanged:
		return "✔"
	case StateFailed, StateUnreachable:
		return "✘"
	case StateBlocked, StateSkipped:
	}
	return "–"
}

func (t tone) class() string {
	switch t {
	case toneGood:
		return "good"
	case toneBad:
		return "bad"
	case toneWarn:
		return "warn"
	case toneDim:
		return "dim"
	case tonePlain, toneBold, toneNote:
	}
	return ""
}

func planned(plan *converge.Plan) string {
	s := plan.Summary()
	if s.Changes == 0 {
		return "No changes were planned."
	}
	text := fmt.Sprintf("Planned: %s on %s (%s)", count(s.Changes, "change"), count(s.Changed, "host"), causeWords(plan))
	if s.Restarts > 0 {
		text += ", with " + count(s.Restarts, "restart") + " of running services"
	}
	return text + "."
}

// namesInFile is how many hosts, or ranges of them, are named in one place.
const namesInFile = 40

// hostsInFile names hosts up to a bound.
func hostsInFile(hosts []string) string {
	parts := strings.Split(clean(hostNames(hosts)), ", ")
	if len(parts) > namesInFile {
		return strings.Join(parts[:namesInFile], ", ") + fmt.Sprintf(" and others (%d in all)", len(hosts))
	}
	return strings.Join(parts, ", ")
}

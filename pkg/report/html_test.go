package report

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

// completeRun is a run of which everything is known: a first install of a
// master and slaves, with a change of what was there, and, if asked, failures.
func completeRun(names []string, failing bool) *Account {
	first := firstInstall()
	plan := &converge.Plan{Hosts: []converge.HostPlan{first.Hosts[0]}}
	plan.Hosts[0].Stages = append(slices.Clone(plan.Hosts[0].Stages[:3]), secondRun().Hosts[0].Stages[0], plan.Hosts[0].Stages[3])
	outcome := &converge.Outcome{Hosts: []converge.HostOutcome{ended(nil).Hosts[0]}}
	outcome.Hosts[0].Changed = len(plan.Hosts[0].Changes())
	changed := secondRun(names...)
	for i, name := range names {
		host := converge.HostPlan{Host: name, Stages: slices.Clone(first.Hosts[1].Stages)}
		node := changed.Hosts[i+1].Stages[1]
		host.Stages[2].Changes = append(slices.Clone(host.Stages[2].Changes), node.Changes...)
		plan.Hosts = append(plan.Hosts, host)
		late := float64(i%5) / 2
		ended := converge.HostOutcome{Host: name, Changed: len(host.Changes()), Stages: timings("prepare", 0, 3+late, "slave-programs", 3+late, 9+late, "node", 18.4, 22.1+late)}
		if failing && i%20 == 1 {
			ended.Err = commandError(name, 1200+i)
			ended.Changed -= 2
		}
		outcome.Hosts = append(outcome.Hosts, ended)
	}
	account := &Account{
		Cluster: "demo", Run: converge.Run{ID: "20261124T090000Z-ABCDEF", By: "op@desk", Time: begin, Inventory: sum(9)},
		Plan: plan, Applied: outcome, Checks: verified(names[:min(len(names), 8)], false), Steps: measured(outcome), Ended: at(31),
	}
	if failing {
		account.Exit, account.Checks = 3, nil
	}
	return account
}

// measured are the steps of a run in which each stage has a few.
func measured(outcome *converge.Outcome) *Steps {
	steps := &Steps{}
	for _, host := range outcome.Hosts {
		for _, timing := range host.Stages {
			took := timing.End.Sub(timing.Start)
			for i, name := range []string{"/etc/kubernetes/" + timing.Stage, "/usr/local/bin/" + timing.Stage} {
				kind := []converge.EventKind{converge.EventResourceBegun, converge.EventUploadStarted}[i]
				steps.Event(converge.Event{Kind: kind, Host: host.Host, Stage: timing.Stage, Time: timing.Start.Add(time.Duration(i) * took / 3), Resource: resource.ID{Kind: "file", Name: name}})
			}
			steps.Event(converge.Event{Kind: converge.EventStageDone, Host: host.Host, Stage: timing.Stage, Time: timing.End})
		}
	}
	return steps
}

func render(t *testing.T, account *Account) string {
	t.Helper()
	text, err := HTML(account)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHTML_Golden(t *testing.T) {
	page := render(t, completeRun(slaves(3), true))
	golden(t, "run.html", []byte(strings.Replace(page, pageStyle, "\n", 1)))
}

// accounts are runs that ended in every way.
func accounts() map[string]*Account {
	evilPlan, evilOutcome := hostile()
	refused := completeRun(slaves(2), false)
	refused.Applied, refused.Checks, refused.Exit, refused.Err = &converge.Outcome{Refused: errors.New("locked")}, nil, 1, errors.New("nothing was changed: locked")
	interrupted := completeRun(slaves(3), true)
	interrupted.Exit = 130
	return map[string]*Account{
		"converged":   completeRun(slaves(3), false),
		"failed":      completeRun(slaves(9), true),
		"1000":        completeRun(slaves(1000), true),
		"nothing":     {Plan: &converge.Plan{Hosts: []converge.HostPlan{{Host: "master"}}}},
		"no plan":     {Exit: 1, Err: errors.New("no plan")},
		"refused":     refused,
		"interrupted": interrupted,
		"blocked":     {Plan: secondRun(slaves(7)...), Applied: ended(slaves(7)), Exit: 3, Checks: verified(slaves(5), true)},
		"hostile": {
			Cluster: evil + "<script>", Run: converge.Run{ID: "<img src=x>", By: "\"'>" + evil}, Plan: evilPlan, Applied: evilOutcome, Exit: 3,
			Checks: []Check{{Name: "<b>" + evil, Host: evil, Detail: evil + "\n</td>", Hint: "</style>" + evil}}, Err: errors.New("</style><script>alert(1)</script>" + evil),
		},
	}
}

var (
	tagPattern     = regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
	headingPattern = regexp.MustCompile(`<h([1-6])[ >]`)
)

func TestHTML_IsOneFileWithoutScripts(t *testing.T) {
	for name, account := range accounts() {
		t.Run(name, func(t *testing.T) {
			page := render(t, account)
			if strings.Contains(page, "ZgotmplZ") {
				t.Error("the template filtered something out")
			}
			sum := sha256.Sum256([]byte(pageStyle))
			if want := "style-src &#39;sha256-" + base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(html.UnescapeString(page), html.UnescapeString(want)) || strings.Count(page, pageStyle) != 1 {
				t.Error("the policy does not allow the style")
			}
			for _, tag := range tagPattern.FindAllString(strings.Replace(page, pageStyle, "", 1), -1) {
				for _, bad := range []string{"<script", "<img", "<link", "<iframe", " style=", " on", " src=", "http:", "https:", "<b>\\"} {
					if strings.Contains(strings.ToLower(tag), bad) && !strings.HasPrefix(tag, "<meta ") && !strings.Contains(tag, " aria-label=") {
						t.Errorf("%q in %s", bad, tag)
					}
				}
			}
			for line := range strings.SplitSeq(page, "\n") {
				if clean(line) != line {
					t.Errorf("not clean: %q", line)
				}
			}
		})
	}
}

func TestHTML_IsAccessible(t *testing.T) {
	for name, account := range accounts() {
		t.Run(name, func(t *testing.T) {
			page := render(t, account)
			level := 0
			for _, match := range headingPattern.FindAllStringSubmatch(page, -1) {
				next, _ := strconv.Atoi(match[1])
				if next > level+1 {
					t.Errorf("a heading of level %d follows one of level %d", next, level)
				}
				level = next
			}
			if n := strings.Count(page, "<h1"); n != 1 {
				t.Errorf("%d headings of level 1", n)
			}
			if n := strings.Count(page, "<th ") - strings.Count(page, `<th scope="`); n != 0 {
				t.Errorf("%d table headers without a scope", n)
			}
			if n := strings.Count(page, "<svg") - strings.Count(page, "<svg role=\"img\" aria-label=\"") - strings.Count(page, `<svg class="ruler" role="img" aria-label="`); n != 0 {
				t.Errorf("%d drawings without a text", n)
			}
			for _, want := range []string{`<html lang="en">`, `name="viewport"`, "<main ", "<header>", "<nav ", "<footer>"} {
				if !strings.Contains(page, want) {
					t.Errorf("no %s", want)
				}
			}
		})
	}
}

func TestHTML_IsBounded(t *testing.T) {
	account := completeRun(slaves(1000), true)
	for i := range account.Plan.Hosts { // the worst: no two hosts alike
		account.Plan.Hosts[i].Stages = slices.Clone(account.Plan.Hosts[i].Stages)
		own := change(converge.ActionUpdate, converge.CauseDrift, "file", fmt.Sprintf("/etc/own-%d", i))
		own.Diff = "--- a\n+++ b\n@@ -1 +1 @@\n-" + strings.Repeat("x", 5000) + fmt.Sprint(i) + "\n+" + strings.Repeat("y", 5000) + "\n"
		first := &account.Plan.Hosts[i].Stages[0]
		first.Changes = append(slices.Clone(first.Changes), own)
		account.Applied.Hosts[i].Changed = i
		account.Applied.Hosts[i].Err = fmt.Errorf("stage x: fault %d: %s", i*7919, strings.Repeat("word ", 500))
	}
	for name, account := range map[string]*Account{"alike": completeRun(slaves(1000), true), "unlike": account} {
		if n := len(render(t, account)); n > 4<<20 {
			t.Errorf("%s: %d bytes", name, n)
		} else {
			t.Logf("%s: %d bytes", name, n)
		}
	}
}

func TestHTML_SaysThatASecretDiffers(t *testing.T) {
	secret := change(converge.ActionUpdate, converge.CauseChange, "file", "/etc/secret", resource.Difference{Name: "content", Have: sum(1), Want: sum(2)})
	page := render(t, &Account{Plan: &converge.Plan{Hosts: []converge.HostPlan{{Host: "a", Stages: []converge.StagePlan{stage("s", nil, secret)}}}}})
	if !strings.Contains(page, "content differs") || strings.Contains(page, sum(1)) || strings.Contains(page, "<pre") {
		t.Error("want only that it differs")
	}
}

var colourVariable = regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`)

func TestHTML_ColoursHaveContrast(t *testing.T) {
	light, dark, found := strings.Cut(pageStyle, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark colours")
	}
	dark, _, _ = strings.Cut(dark, "* {")
	schemes := map[string]map[string]string{"light": {}, "dark": {}}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		for _, match := range colourVariable.FindAllStringSubmatch(text, -1) {
			schemes[scheme][match[1]] = match[2]
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(schemes["light"])), slices.Sorted(maps.Keys(schemes["dark"]))) {
		t.Error("the schemes have other colours")
	}
	for scheme, colours := range schemes {
		pairs := [][2]string{{"add", "add-back"}, {"cut", "cut-back"}, {"back", "bad"}}
		for _, text := range []string{"text", "dim", "link", "good", "bad", "warn"} {
			pairs = append(pairs, [2]string{text, "back"}, [2]string{text, "panel"})
		}
		for i := range 6 {
			pairs = append(pairs, [2]string{"text", fmt.Sprintf("s%d", i)})
		}
		for _, pair := range pairs {
			if got := contrast(colours[pair[0]], colours[pair[1]]); !(got >= 4.5) {
				t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", scheme, pair[0], pair[1], got)
			}
		}
	}
}

// contrast is that of WCAG 2.2.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(colour string) float64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		return math.NaN()
	}
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

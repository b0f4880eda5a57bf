package report

import (
	"slices"
	"strconv"
	"strings"

	"provision/pkg/converge"
)

// entry is one change that several hosts share.
type entry struct {
	change   converge.Change
	details  []string
	hosts    []string
	of       int // hosts that have the stage
	variants []*variant
	// byLines finds a variant by what it changes.
	byLines map[string]*variant
}

// variant is one diff of an entry, and where it is so.
type variant struct {
	diff  string
	hosts []string
	// varies tells that the hosts differ in their names, or in the lines around
	// the change.
	varies bool
}

// bundle is what several hosts get new in a stage, counted by kind.
type bundle struct {
	stage  string
	counts string
	hosts  []string
	of     int
}

// stageEntries are the entries of one stage.
type stageEntries struct {
	stage   string
	entries []*entry
}

// planGroups is a plan arranged for people.
type planGroups struct {
	bundles []*bundle
	stages  []stageEntries
}

// bundledFrom is the number of new things from which they are only counted.
const bundledFrom = 20

// groupPlan joins equal changes of hosts. Many new things are only counted,
// unless verbose.
func groupPlan(plan *converge.Plan, verbose bool) planGroups {
	order := stageOrder(plan)
	bundling := !verbose && countNew(plan) > bundledFrom
	var groups planGroups
	for _, name := range order {
		stage := newStageGroup(name)
		for i := range plan.Hosts {
			for j := range plan.Hosts[i].Stages {
				if plan.Hosts[i].Stages[j].Name == name && plan.Hosts[i].Err == nil {
					stage.add(plan.Hosts[i].Host, plan.Hosts[i].Stages[j].Changes, bundling, verbose)
				}
			}
		}
		stage.finish()
		groups.bundles = append(groups.bundles, stage.bundles...)
		if len(stage.entries) > 0 {
			groups.stages = append(groups.stages, stageEntries{name, stage.entries})
		}
	}
	return groups
}

// countNew counts the different things that are new somewhere.
func countNew(plan *converge.Plan) int {
	seen := map[string]bool{}
	for _, host := range plan.Hosts {
		for _, stage := range host.Stages {
			for _, change := range stage.Changes {
				if quietlyNew(change) {
					seen[stage.Name+"\x00"+change.Resource.String()] = true
				}
			}
		}
	}
	return len(seen)
}

// quietlyNew tells of changes that need no look of their own: what is made new,
// without overwriting text that people may have written and without disturbing
// what runs.
func quietlyNew(change converge.Change) bool {
	return change.Cause == converge.CauseNew && change.Diff == "" &&
		change.Action != converge.ActionRestart && change.Action != converge.ActionStop
}

// stageGroup collects the groups of one stage.
type stageGroup struct {
	name     string
	hosts    int
	bundles  []*bundle
	byCounts map[string]*bundle
	entries  []*entry
	byKey    map[string]*entry
}

func newStageGroup(name string) *stageGroup {
	return &stageGroup{name: name, byCounts: map[string]*bundle{}, byKey: map[string]*entry{}}
}

func (g *stageGroup) add(host string, changes []converge.Change, bundling, verbose bool) {
	g.hosts++
	var bundled []converge.Change
	for _, change := range changes {
		if bundling && quietlyNew(change) {
			bundled = append(bundled, change)
			continue
		}
		g.addChange(host, change, verbose)
	}
	if len(bundled) == 0 {
		return
	}
	counts := countKinds(bundled)
	b := g.byCounts[counts]
	if b == nil {
		b = &bundle{stage: g.name, counts: counts}
		g.byCounts[counts] = b
		g.bundles = append(g.bundles, b)
	}
	b.hosts = append(b.hosts, host)
}

func (g *stageGroup) addChange(host string, change converge.Change, verbose bool) {
	words := details(change, verbose)
	key := changeKey(change, words)
	e := g.byKey[key]
	if e == nil {
		e = &entry{change: change, details: words, byLines: map[string]*variant{}}
		g.byKey[key] = e
		g.entries = append(g.entries, e)
	}
	e.hosts = append(e.hosts, host)
	if change.Diff != "" {
		e.addDiff(host, change.Diff)
	}
}

// changeKey is equal for changes that read the same but for their diff. Sums
// don't count: the same change gives files that name their host other sums.
func changeKey(change converge.Change, words []string) string {
	parts := []string{change.Resource.String(), string(change.Action), string(change.Cause), strconv.FormatBool(change.Diff != "")}
	parts = append(parts, words...)
	for _, id := range change.Uses {
		parts = append(parts, id.String())
	}
	return strings.Join(parts, "\x00")
}

// addDiff puts a host to the variant whose changed lines are the same but for
// the host's name.
func (e *entry) addDiff(host, diff string) {
	lines := strings.ReplaceAll(changedLines(diff), host, "\x00")
	v := e.byLines[lines]
	if v == nil {
		v = &variant{diff: diff}
		e.byLines[lines] = v
		e.variants = append(e.variants, v)
	}
	v.hosts = append(v.hosts, host)
	v.varies = v.varies || v.diff != diff
}

func (g *stageGroup) finish() {
	for _, b := range g.bundles {
		b.of = g.hosts
	}
	for _, e := range g.entries {
		e.of = g.hosts
	}
}

// diffLines are a unified diff's lines without the names of the file.
func diffLines(diff string) []string {
	lines := strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
	if len(lines) >= 2 && strings.HasPrefix(lines[0], "--- ") && strings.HasPrefix(lines[1], "+++ ") {
		return lines[2:]
	}
	return lines
}

func changedLines(diff string) string {
	return strings.Join(slices.DeleteFunc(diffLines(diff), func(line string) bool {
		return strings.HasPrefix(line, " ") || line == ""
	}), "\n")
}

// countKinds counts changes by kind, in the order that the kinds appear.
func countKinds(changes []converge.Change) string {
	var kinds []string
	counts := map[string]int{}
	for _, change := range changes {
		kind := change.Resource.Kind
		if counts[kind] == 0 {
			kinds = append(kinds, kind)
		}
		counts[kind]++
	}
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		noun := kind
		if kind == "trust" {
			noun = "CA copy"
		}
		words[i] = count(counts[kind], noun)
	}
	return strings.Join(words, ", ")
}

// stageOrder lists the stages in an order that every host keeps, and that puts
// stages behind those they wait for.
func stageOrder(plan *converge.Plan) []string {
	var names []string
	before := map[string]map[string]bool{}
	for _, host := range plan.Hosts {
		previous := ""
		for _, stage := range host.Stages {
			if before[stage.Name] == nil {
				before[stage.Name] = map[string]bool{}
				names = append(names, stage.Name)
			}
			if previous != "" {
				before[stage.Name][previous] = true
			}
			for _, name := range stage.After {
				before[stage.Name][name] = true
			}
			previous = stage.Name
		}
	}
	var order []string
	for len(names) > 0 {
		next := slices.IndexFunc(names, func(name string) bool {
			return !slices.ContainsFunc(names, func(other string) bool { return before[name][other] })
		})
		next = max(next, 0) // stages that wait for each other come as they are
		order = append(order, names[next])
		names = slices.Delete(names, next, next+1)
	}
	return order
}

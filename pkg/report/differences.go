package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

var sumPattern = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)

// isSum tells whether an attribute's value identifies content without showing
// it.
func isSum(value string) bool { return sumPattern.MatchString(value) }

// details says in words how a change's resource differs, and why its service
// restarts. What a diff shows better, and what goes without saying of something
// new, is left out.
func details(change converge.Change, verbose bool) []string {
	if change.Action == converge.ActionRemove {
		return []string{removalWords(change.Resource.Kind)}
	}
	words := differenceWords(change)
	verb, ok := serviceVerb(change.Action)
	if !ok {
		return words
	}
	if len(change.Uses) > 0 && change.Cause != converge.CauseNew {
		return slices.Insert(words, 0, verb+" for "+usesWords(change.Uses, verbose))
	}
	if len(words) > 0 {
		words[0] = verb + ": " + words[0]
		return words
	}
	return []string{verb}
}

// removalWords tell what becomes of what is no longer declared.
func removalWords(kind string) string {
	switch kind {
	case "service":
		return "stop and disable: no longer declared"
	case "directory":
		return "no longer declared; stays if anything is in it"
	}
	return "no longer declared"
}

// serviceVerb is the word for what happens to a unit that is not plain from the
// differences.
func serviceVerb(action converge.Action) (string, bool) {
	switch action {
	case converge.ActionStart, converge.ActionRestart, converge.ActionStop:
		return string(action), true
	case converge.ActionCreate, converge.ActionUpdate, converge.ActionConfigure, converge.ActionRun, converge.ActionRemove, converge.ActionRestore, converge.ActionAdopt:
	}
	return "", false
}

// namedUses is how many of the resources are named that a service restarts for.
const namedUses = 3

func usesWords(uses []resource.ID, verbose bool) string {
	var names []string
	for i, id := range uses {
		if i == namedUses && !verbose {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(uses)-namedUses)
		}
		names = append(names, id.String())
	}
	return strings.Join(names, ", ")
}

func differenceWords(change converge.Change) []string {
	absent := true
	for _, d := range change.Differences {
		absent = absent && d.Have == ""
	}
	if absent && change.Action != converge.ActionUpdate {
		return nil
	}
	var words []string
	for _, d := range change.Differences {
		if word := differenceWord(d, change); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// differenceWord says what one attribute's difference means.
func differenceWord(d resource.Difference, change converge.Change) string {
	switch d.Name {
	case "content", "source", "manifest", "output", "key", "key sum", "inputs":
		return sumWords(d, change)
	case "certificate":
		if d.Want == "valid" && d.Have != "" {
			return d.Have
		}
	case "check":
		return "check " + d.Have
	case "package":
		return "not installed"
	case "module":
		return "not loaded"
	case "unit":
		return "unit " + d.Have
	}
	return d.Name + " " + valueWord(d.Have) + " → " + valueWord(d.Want)
}

// sumWords are for the attributes whose values are sums: that they differ is
// all that a sum tells people.
func sumWords(d resource.Difference, change converge.Change) string {
	word := d.Have != "" && !isSum(d.Have)
	switch d.Name {
	case "inputs":
		return inputsWord(d, change)
	case "source":
		return "image file differs"
	case "manifest":
		return "tag names another image"
	}
	name := strings.TrimSuffix(d.Name, " sum")
	switch {
	case d.Name == "content" && change.Diff != "":
		return ""
	case word && d.Name == "key":
		return "key " + d.Have
	case word:
		return d.Name + " is " + d.Have
	case d.Have == "":
		return name + " absent"
	}
	return name + " differs"
}

func inputsWord(d resource.Difference, change converge.Change) string {
	switch {
	case len(change.Uses) > 0:
		return "" // said by "restart for"
	case d.Have == "interrupted":
		return "an earlier run was cut short"
	case d.Have == "":
		return "not yet run by provision"
	}
	return "what it uses has changed"
}

// valueWord is an attribute's value as people read it.
func valueWord(value string) string {
	switch {
	case value == "":
		return "none"
	case isSum(value):
		sum := strings.TrimPrefix(value, "sha256:")
		return "sha256:" + sum[:8] + "…"
	}
	return value
}

package inventory

import (
	"reflect"
	"strings"
)

// nearest finds the candidate that a mistyped word most likely means; "" when
// none is near.
func nearest(word string, candidates []string) string {
	best, distance := "", len(word)/3+1
	for _, c := range candidates {
		if len(word) > len(c)+distance || len(c) > len(word)+distance {
			continue
		}
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= distance && (best == "" || d < distance) {
			best, distance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// elsewhere finds where in the inventory a key belongs that was given at the
// wrong place; "" when there is none or more than one.
func elsewhere(key string) string {
	places := findKey(reflect.TypeFor[Inventory](), key, "")
	if len(places) != 1 {
		return ""
	}
	return places[0]
}

func findKey(t reflect.Type, key, path string) []string {
	var places []string
	for _, f := range fieldsOf(t) {
		at := join(path, f.key)
		if f.key == key {
			places = append(places, at)
		}
		if below := mappingOf(f.typ); below != nil && f.tag.Get("inherit") == "" {
			places = append(places, findKey(below, key, at)...)
		}
	}
	return places
}

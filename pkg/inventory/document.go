package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds of what is read, so that a hostile file can neither fill memory nor
// exhaust the stack.
const (
	maxBytes = 2 << 20
	maxDepth = 64
	maxNodes = 200_000
)

const startHint = "start from inventory.example.yaml"

// readDocument reads the one YAML document of an inventory file and reports
// what keeps it from being one. Aliases and merge keys are resolved in what it
// returns, and keys are unique; nil when nothing can be read.
func readDocument(data []byte, src *source) *yaml.Node {
	start := position{1, 1}
	src.values[root] = start
	if len(data) > maxBytes {
		src.fail(start, root, fmt.Sprintf("the file has more than %d bytes", maxBytes), "is it an inventory? "+startHint)
		return nil
	}
	if !utf8.Valid(data) {
		src.fail(invalidUTF8(data), root, "the file is not UTF-8 text", "save it as UTF-8")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	first, err := nextDocument(decoder)
	switch {
	case errors.Is(err, io.EOF):
		src.fail(start, root, "the file is empty", startHint)
		return nil
	case err != nil:
		at, message, hint := syntaxError(data, err)
		src.fail(at, root, message, hint)
		return nil
	}
	switch second, err := nextDocument(decoder); {
	case errors.Is(err, io.EOF):
	case err != nil:
		at, message, hint := syntaxError(data, err)
		src.fail(at, root, message, hint)
		return nil
	default:
		src.fail(positionOf(second), root, "a second YAML document begins here",
			"write one inventory per file, without --- between its parts")
		return nil
	}
	if isNull(first) {
		src.fail(start, root, "the file is empty", startHint)
		return nil
	}
	x := expander{source: src, open: map[*yaml.Node]bool{}}
	return x.expand(first, root, 0)
}

// nextDocument reads a document's root node.
func nextDocument(d *yaml.Decoder) (*yaml.Node, error) {
	var document yaml.Node
	if err := d.Decode(&document); err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// expander copies a node tree with its aliases and merge keys resolved.
type expander struct {
	*source
	nodes int
	open  map[*yaml.Node]bool // aliases that are being expanded
}

// expand returns a node of kind 0 where it reported a mistake.
func (x *expander) expand(n *yaml.Node, path string, depth int) *yaml.Node {
	at := positionOf(n)
	bad := &yaml.Node{Line: n.Line, Column: n.Column}
	x.nodes++
	switch {
	case x.nodes > maxNodes:
		if x.nodes == maxNodes+1 {
			x.fail(at, path, fmt.Sprintf("the file has more than %d values, aliases resolved", maxNodes), "use fewer aliases")
			x.distrust(root) // the rest is not read
		}
		return bad
	case depth > maxDepth:
		x.fail(at, path, fmt.Sprintf("values are nested more than %d deep", maxDepth), "nest them less")
		return bad
	case n.Style&yaml.TaggedStyle != 0:
		x.fail(at, path, "the tag "+quote(n.ShortTag())+" has no meaning here", "remove it; quote a value that is text")
		return bad
	}
	switch n.Kind {
	case yaml.AliasNode:
		if x.open[n.Alias] {
			x.fail(at, path, "the alias "+quote("*"+n.Value)+" refers to what holds it", "write the value out")
			return bad
		}
		x.open[n.Alias] = true
		defer delete(x.open, n.Alias)
		return x.expand(n.Alias, path, depth+1)
	case yaml.SequenceNode:
		list := copyNode(n)
		for i, c := range n.Content {
			list.Content = append(list.Content, x.expand(c, item(path, i), depth+1))
		}
		return list
	case yaml.MappingNode:
		x.open[n] = true
		defer delete(x.open, n)
		return x.mapping(n, path, depth)
	}
	if message := unprintableIn(n.Value); message != "" {
		x.fail(at, path, message, "write printable text on one line")
		return bad
	}
	return n
}

func copyNode(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line, Column: n.Column}
}

// unprintableIn says which character of a text is not printable. No string of
// an inventory may have one: they end up in files, arguments and terminals.
func unprintableIn(s string) string {
	i := strings.IndexFunc(s, unprintable)
	if i < 0 {
		return ""
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	if r == '\n' {
		return "the text has a line break"
	}
	return fmt.Sprintf("the text has the unprintable character %U", r)
}

func (x *expander) mapping(n *yaml.Node, path string, depth int) *yaml.Node {
	out := copyNode(n)
	given := map[string]*yaml.Node{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			x.report(positionOf(key), path, "a key is not plain text", "write one word before the colon")
			continue
		}
		at := join(path, key.Value)
		if message := unprintableIn(key.Value); message != "" {
			x.fail(positionOf(key), at, message, "write printable text on one line")
			continue
		}
		if first, twice := given[key.Value]; twice {
			x.fail(positionOf(key), at, fmt.Sprintf("the key was already given on line %d", first.Line), "keep one of them")
			continue
		}
		given[key.Value] = key
		if key.ShortTag() == "!!merge" {
			merged = x.mergeSources(value, path, depth+1)
			continue
		}
		out.Content = append(out.Content, key, x.expand(value, at, depth+1))
	}
	for _, m := range merged {
		for i := 0; i+1 < len(m.Content); i += 2 {
			if key := m.Content[i]; given[key.Value] == nil {
				given[key.Value] = key
				out.Content = append(out.Content, key, m.Content[i+1])
			}
		}
	}
	return out
}

// mergeSources are the mappings that a merge key (<<) names; the first one
// that has a key gives it.
func (x *expander) mergeSources(value *yaml.Node, path string, depth int) []*yaml.Node {
	expanded := x.expand(value, path, depth)
	sources := []*yaml.Node{expanded}
	if expanded.Kind == yaml.SequenceNode {
		sources = expanded.Content
	}
	for _, s := range sources {
		if s.Kind != yaml.MappingNode && s.Kind != 0 {
			x.fail(positionOf(value), path, "the merge key << needs a mapping", "write the alias of one, as in <<: *name")
			return nil
		}
	}
	return sources
}

package cluster

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// MergeKubeconfig puts the clusters, users and contexts of one kubeconfig into
// another: those of the same name are replaced as a whole, everything else stays,
// comments included. The current context is changed only where there is none:
// kubectl is not turned to another cluster behind its user's back.
func MergeKubeconfig(existing, added []byte) ([]byte, error) {
	if len(bytes.TrimSpace(existing)) == 0 {
		return added, nil
	}
	document, err := parseDocument(existing)
	if err != nil {
		return nil, fmt.Errorf("existing kubeconfig: %w", err)
	}
	addition, err := parseDocument(added)
	if err != nil {
		return nil, fmt.Errorf("added kubeconfig: %w", err)
	}
	base, over := document.Content[0], addition.Content[0]
	if !isKubeconfig(base) {
		return nil, errors.New("existing file: it holds something else than a kubeconfig")
	}
	for _, key := range []string{"clusters", "users", "contexts"} {
		items := field(over, key)
		if items == nil || items.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("added kubeconfig: %s is not a list", key)
		}
		if err := mergeNamed(base, items, key); err != nil {
			return nil, fmt.Errorf("existing kubeconfig: %w", err)
		}
	}
	if current := field(over, "current-context"); isEmpty(field(base, "current-context")) && current != nil {
		setField(base, "current-context", current)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return out.Bytes(), nil
}

// isKubeconfig tells whether a mapping may be a kubeconfig: empty, of the kind
// Config, or without a kind but with keys of one.
func isKubeconfig(mapping *yaml.Node) bool {
	if kind := field(mapping, "kind"); !isEmpty(kind) {
		return kind.Value == "Config"
	}
	for _, key := range []string{"apiVersion", "clusters", "users", "contexts", "current-context"} {
		if field(mapping, key) != nil {
			return true
		}
	}
	return len(mapping.Content) == 0
}

// parseDocument reads one YAML document that is a mapping, or has comments only.
func parseDocument(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if len(uncommented(text)) > 0 {
			return nil, err
		}
		mapping := &yaml.Node{Kind: yaml.MappingNode, HeadComment: string(bytes.TrimSpace(text))}
		return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{mapping}}, nil
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a mapping")
	}
	if err := decoder.Decode(&yaml.Node{}); err == nil {
		return nil, errors.New("more than one YAML document")
	}
	return &document, nil
}

// uncommented is what a text holds besides comments and blank lines.
func uncommented(text []byte) [][]byte {
	return slices.DeleteFunc(bytes.Split(text, []byte("\n")), func(line []byte) bool {
		line = bytes.TrimSpace(line)
		return len(line) == 0 || line[0] == '#'
	})
}

// mergeNamed merges one of the lists, whose items have a name.
func mergeNamed(base, added *yaml.Node, key string) error {
	items := field(base, key)
	if isEmpty(items) {
		setField(base, key, added)
		return nil
	}
	if items.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s is not a list", items.Line, key)
	}
	for _, item := range added.Content {
		named := func(known *yaml.Node) bool { return nameOf(known) == nameOf(item) }
		at := slices.IndexFunc(items.Content, named)
		if at < 0 {
			if len(items.Content) == 0 {
				items.Style = 0 // an empty list is written in flow style: []
			}
			items.Content = append(items.Content, item)
			continue
		}
		keepComments(items.Content[at], item)
		items.Content[at] = item
		// kubectl refuses a name that is there twice.
		rest := slices.DeleteFunc(slices.Clone(items.Content[at+1:]), named)
		items.Content = append(items.Content[:at+1], rest...)
	}
	return nil
}

func keepComments(from, to *yaml.Node) {
	to.HeadComment = cmp.Or(to.HeadComment, from.HeadComment)
	to.LineComment = cmp.Or(to.LineComment, from.LineComment)
	to.FootComment = cmp.Or(to.FootComment, from.FootComment)
}

// isEmpty tells whether a value is not given, null or "".
func isEmpty(value *yaml.Node) bool {
	return value == nil || value.Kind == yaml.ScalarNode && (value.Value == "" || value.ShortTag() == "!!null")
}

func nameOf(item *yaml.Node) string {
	if item.Kind == yaml.AliasNode && item.Alias != nil {
		item = item.Alias
	}
	if name := field(item, "name"); name != nil {
		return name.Value
	}
	return ""
}

// field is a mapping's value of a key, nil when there is none.
func field(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func setField(mapping *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

package cluster

import (
	"bytes"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

// MergeKubeconfig puts the clusters, users and contexts of one kubeconfig into
// another: those of the same name are replaced, everything else stays, comments
// included. The current context is changed only where there is none: kubectl is
// not turned to another cluster behind its user's back.
func MergeKubeconfig(existing, added []byte) ([]byte, error) {
	if len(bytes.TrimSpace(existing)) == 0 {
		return added, nil
	}
	base, err := parseMapping(existing)
	if err != nil {
		return nil, fmt.Errorf("existing kubeconfig: %w", err)
	}
	over, err := parseMapping(added)
	if err != nil {
		return nil, fmt.Errorf("added kubeconfig: %w", err)
	}
	for _, key := range []string{"clusters", "users", "contexts"} {
		if err := mergeNamed(base, over, key); err != nil {
			return nil, fmt.Errorf("existing kubeconfig: %w", err)
		}
	}
	if current := field(base, "current-context"); current == nil || current.Value == "" {
		setField(base, "current-context", field(over, "current-context"))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(base); err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return out.Bytes(), nil
}

func parseMapping(text []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a mapping")
	}
	return document.Content[0], nil
}

// mergeNamed merges one of the lists, whose items have a name.
func mergeNamed(base, over *yaml.Node, key string) error {
	items := field(base, key)
	if items == nil || items.Tag == "!!null" {
		setField(base, key, field(over, key))
		return nil
	}
	if items.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s is not a list", items.Line, key)
	}
	for _, item := range field(over, key).Content {
		at := -1
		for i, known := range items.Content {
			if name := field(known, "name"); name != nil && name.Value == field(item, "name").Value {
				at = i
			}
		}
		if at < 0 {
			items.Style = 0 // an empty list is written in flow style: []
			items.Content = append(items.Content, item)
			continue
		}
		items.Content[at] = item
	}
	return nil
}

func field(mapping *yaml.Node, key string) *yaml.Node {
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

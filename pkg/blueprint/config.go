package blueprint

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"
)

// mergeConfig merges an operator's config into the YAML that a template
// yielded, and writes it in the format that the program reads. Comments of the
// template stay where the format is YAML.
func mergeConfig(base []byte, config map[string]any, format string) ([]byte, error) {
	document, err := parseMapping(base)
	if err != nil {
		return nil, err
	}
	if len(config) > 0 {
		var overlay yaml.Node
		if err := overlay.Encode(config); err != nil {
			return nil, fmt.Errorf("merge config: %w", err)
		}
		mergeMapping(document.Content[0], &overlay)
	}
	if format == formatTOML {
		return encodeTOML(document)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("write config: %w", err)
	}
	return out.Bytes(), nil
}

// parseMapping reads one document that is a mapping.
func parseMapping(text []byte) (*yaml.Node, error) {
	var document, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parse the rendered template: %w", err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the rendered template is not a YAML mapping")
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("the rendered template is more than one YAML document")
	}
	return &document, nil
}

// mergeMapping sets in base what overlay has: mappings key by key, anything
// else as a whole. A null removes the key, at every depth (as in RFC 7396).
func mergeMapping(base, overlay *yaml.Node) {
	for i := 0; i+1 < len(overlay.Content); i += 2 {
		key, value := overlay.Content[i], overlay.Content[i+1]
		at := keyIndex(base, key.Value)
		switch {
		case value.Tag == "!!null" && at >= 0:
			base.Content = append(base.Content[:at], base.Content[at+2:]...)
		case value.Tag == "!!null":
		case at < 0:
			base.Content = append(base.Content, key, withoutNulls(value))
		case base.Content[at+1].Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			mergeMapping(base.Content[at+1], value)
		default:
			base.Content[at+1] = withoutNulls(value)
		}
	}
}

// withoutNulls is a value that has nothing to be merged with.
func withoutNulls(value *yaml.Node) *yaml.Node {
	if value.Kind != yaml.MappingNode {
		return value
	}
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	mergeMapping(merged, value)
	return merged
}

func keyIndex(mapping *yaml.Node, key string) int {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func encodeTOML(document *yaml.Node) ([]byte, error) {
	var value map[string]any
	if err := document.Decode(&value); err != nil {
		return nil, fmt.Errorf("read the merged config: %w", err)
	}
	out, err := toml.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write config as TOML: %w", err)
	}
	return out, nil
}

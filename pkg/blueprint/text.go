package blueprint

import (
	"fmt"
	"strings"
	"text/template"

	"gopkg.in/yaml.v3"
)

// text is a scalar of a manifest. It may be a template; what that yields stays
// one scalar, whatever is in it.
type text struct {
	literal  string
	template *template.Template
}

// UnmarshalYAML parses the template once, for all hosts.
func (t *text) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a single value", node.Line)
	}
	t.literal = node.Value
	if !strings.Contains(node.Value, "{{") {
		return nil
	}
	parsed, err := template.New(fmt.Sprintf("line %d", node.Line)).Funcs(functions()).Option("missingkey=error").Parse(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	t.template = parsed
	return nil
}

// renderer renders the texts of one entry for one host and keeps the first
// error, so that an entry reads as the list of its fields.
type renderer struct {
	data *Data
	err  error
}

func (r *renderer) text(t text) string {
	if t.template == nil {
		return t.literal
	}
	out, err := execute(t.template, r.data)
	if err != nil && r.err == nil {
		r.err = err
	}
	return out
}

// texts renders each text to one value.
func (r *renderer) texts(list []text) []string {
	values := make([]string, 0, len(list))
	for _, t := range list {
		values = append(values, r.text(t))
	}
	return values
}

// fields renders each text to the words in it: none, one, or as many as a range
// yields.
func (r *renderer) fields(list []text) []string {
	var values []string
	for _, t := range list {
		values = append(values, strings.Fields(r.text(t))...)
	}
	return values
}

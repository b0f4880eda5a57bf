package inventory

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// compileSchema reads the schema as a validator does.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("inventory.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("inventory.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate holds a YAML text against the schema.
func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestSchema_AcceptsValidInventories(t *testing.T) {
	schema := compileSchema(t)
	example, err := os.ReadFile("../../inventory.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, schema, example); err != nil {
		t.Error("example:", err)
	}
	if err := validate(t, schema, []byte(uncommented(t))); err != nil {
		t.Error("uncommented example:", err)
	}
	for _, text := range []string{
		"", "slaves: 10.25.31.45\n", "master: [10.25.31.44]\n", "slaves: {address: 10.25.31.45}\n", "ssh:\n", "cluster: ~\n",
		"kubernetes: {version: 1.35}\n", "kubernetes: {version: \"1.35.2\"}\n", "services: {nodePorts: 30000}\n",
		"registry: {address: 10.25.31.102, port: 5001}\n", "ssh: {connectTimeout: 1m30s}\n",
		"components: {etcd: {extraArgs: {a: 1, b: true, c: x, d: }, config: {a: [1]}}}\n",
	} {
		if err := validate(t, schema, withRequired(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		parse(t, text)
	}
}

func TestSchema_RefusesWhatHasTheWrongShape(t *testing.T) {
	schema := compileSchema(t)
	for _, text := range []string{
		"slave: []\n", "master:\n", "artifacts: ~\n", "ssh: {usr: root}\n", "ssh: {port: 0}\n", "ssh: {port: 65536}\n", "ssh: {port: \"22\"}\n",
		"slaves: [10.25.31.450]\n", "slaves: [{name: a}]\n", "network: {plugin: calico}\n", "network: {podCIDR: 10.0.0.0}\n",
		"network: {podCIDR: 10.0.0.0/33}\n", "network: {flannel: {subnetLength: 31}}\n", "ssh: {connectTimeout: 10}\n",
		"ssh: {connectTimeout: ten}\n", "kubernetes: {version: v1.36}\n", "components: {kubeproxy: {}}\n",
		"components: {etcd: {extraArgs: {a: [1]}}}\n", "cluster: 5\n", "dns: {upstream: 9.9.9.9}\n", "services: {nodePorts: many}\n",
	} {
		if validate(t, schema, withRequired(text)) == nil {
			t.Errorf("%q is accepted", text)
		}
		if _, err := Parse("f", withRequired(text)); err == nil {
			t.Errorf("Parse accepts %q", text)
		}
	}
}

func TestSchema_HasDescriptionsAndDefaults(t *testing.T) {
	type property struct {
		Description string
		Default     any
	}
	var schema struct {
		Schema     string `json:"$schema"`
		Properties map[string]property
		Defs       map[string]struct{ Properties map[string]property } `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %s", schema.Schema)
	}
	if p := schema.Properties["cluster"]; p.Default != "kubernetes" || p.Description == "" {
		t.Errorf("cluster is %v", p)
	}
	if p := schema.Defs["Registry"].Properties["port"]; p.Default != 5000.0 {
		t.Errorf("registry.port is %v", p)
	}
	if p := schema.Defs["Kubernetes"].Properties["version"]; p.Default != "1.36.3" {
		t.Errorf("kubernetes.version is %v", p)
	}
	for _, s := range sections()[1:] {
		for _, f := range fieldsOf(s.typ) {
			if schema.Defs[s.typ.Name()].Properties[f.key].Description == "" {
				t.Errorf("%s of %s has no description", f.key, s.typ.Name())
			}
		}
	}
}

package cluster

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"provision/pkg/pki"
)

func TestKubeconfig_NamesTheOperatorAndTheAPI(t *testing.T) {
	s := newStandIn(t)
	text, err := Kubeconfig(t.Context(), s.target(), Operator{Name: "ann@laptop"})
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct{ Cluster struct{ Server string } }
		Users    []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if server := config.Clusters[0].Cluster.Server; server != "https://198.18.0.11:6443" {
		t.Errorf("server %s", server)
	}
	cert, err := base64.StdEncoding.DecodeString(config.Users[0].User.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	info, err := pki.Inspect(cert)
	if err != nil {
		t.Fatal(err)
	}
	want := pki.Request{CommonName: "ann@laptop", Organizations: []string{operatorsGroup}, Usages: []pki.Usage{pki.Client}}
	if info.Request.Digest() != want.Digest() {
		t.Errorf("certificate for %+v", info.Request)
	}
	if strings.Contains(string(text), base64.StdEncoding.EncodeToString(s.authority.KeyPEM())) {
		t.Error("the authority's key is in the kubeconfig")
	}
}

const added = `clusters: [{name: lab, cluster: {server: new}}]
users: [{name: lab-operator, user: {}}]
contexts: [{name: lab, context: {cluster: lab, user: lab-operator}}]
current-context: lab
`

func TestMergeKubeconfig(t *testing.T) {
	tests := []struct{ name, existing, want string }{
		{"no kubeconfig yet", "", added},
		{"other clusters and comments stay", `# mine
clusters:
  - name: work # do not touch
    cluster: {server: work}
  - name: lab
    cluster: {server: old}
contexts: []
users: null
current-context: work
`, `# mine
clusters:
  - name: work # do not touch
    cluster: {server: work}
  - {name: lab, cluster: {server: new}}
contexts:
  - {name: lab, context: {cluster: lab, user: lab-operator}}
users: [{name: lab-operator, user: {}}]
current-context: work
`},
		{"comments around and on what is replaced stay", `# my clusters

clusters:
  # the lab, ask ann
  - name: lab # here
    cluster: {server: old}
current-context: work

# the end
`, `# my clusters

clusters:
  # the lab, ask ann
  - {name: lab, cluster: {server: new}}
current-context: work
users: [{name: lab-operator, user: {}}]
contexts: [{name: lab, context: {cluster: lab, user: lab-operator}}]

# the end
`},
		{"comments only", "# mine\n", "# mine\n" + added},
		{"current context is null", "current-context: null\n", "current-context: lab\n" + strings.TrimSuffix(added, "current-context: lab\n")},
		{"a name that is there twice", `clusters:
  - {name: lab, cluster: {server: old}}
  - {name: work, cluster: {server: work}}
  - {name: lab, cluster: {server: older}}
current-context: work
`, `clusters:
  - {name: lab, cluster: {server: new}}
  - {name: work, cluster: {server: work}}
current-context: work
users: [{name: lab-operator, user: {}}]
contexts: [{name: lab, context: {cluster: lab, user: lab-operator}}]
`},
		{"no current context", "apiVersion: v1\n", "apiVersion: v1\n" + added},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := MergeKubeconfig([]byte(tt.existing), []byte(added))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			again, err := MergeKubeconfig(got, []byte(added))
			if err != nil || string(again) != string(got) {
				t.Errorf("merging again: %v\n%s", err, again)
			}
		})
	}
}

func TestMergeKubeconfig_RefusesWhatItCannotRead(t *testing.T) {
	for _, existing := range []string{"- a list\n", "master: 10.0.0.1\n", "kind: Deployment\nclusters: []\n", "master: 10.0.0.1\n", "kind: Deployment\nclusters: []\n", "clusters: {}\n", "a: [\n", "a: b\n---\nc: d\n", "text", "- &x [*x]\n"} {
		if got, err := MergeKubeconfig([]byte(existing), []byte(added)); err == nil {
			t.Errorf("%q was merged to %q", existing, got)
		}
	}
}

func TestMergeKubeconfig_RefusesAnAdditionThatIsNoKubeconfig(t *testing.T) {
	for _, addition := range []string{"", "{}", "clusters: []\n", "- a\n"} {
		if got, err := MergeKubeconfig([]byte("apiVersion: v1\n"), []byte(addition)); err == nil {
			t.Errorf("%q was merged to %q", addition, got)
		}
	}
}

func TestKubeconfig_Refuses(t *testing.T) {
	tests := []struct {
		name, operator string
		disturb        func(*standIn)
		want           string
	}{
		{"a name of Kubernetes' own", "system:kube-scheduler", func(*standIn) {}, "Kubernetes' own"},
		{"no name", "", func(*standIn) {}, "common name is empty"},
		{"no authority yet", "ann", func(s *standIn) { delete(s.files, authorityKey) }, "ca.key is missing on master"},
		{"another's key", "ann", func(s *standIn) { s.files[authorityKey] = s.files["/admin.key"] }, "does not belong"},
		{"no https", "ann", func(s *standIn) { s.files[adminKubeconfig] = "clusters: [{cluster: {server: 'http://h:8080'}}]" }, "not an https URL"},
		{"no cluster", "ann", func(s *standIn) { s.files[adminKubeconfig] = "clusters: []" }, "want one cluster"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStandIn(t)
			tt.disturb(s)
			if got, err := Kubeconfig(t.Context(), s.target(), Operator{Name: tt.operator}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if n := len(s.commands); n > 1 {
				t.Errorf("%d execs", n)
			}
		})
	}
}

// Package resource owns the kinds of thing that a host can be told to have:
// files, programs, services, certificates and so on. Each kind says what it
// asks of a host, what it wants, what the host has, and which operations bring
// it about. It touches no host itself and knows nothing of Kubernetes.
package resource

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// ID names a resource on its host: its kind and what is unique within it.
type ID struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// String is the ID as people and records write it: "file /etc/hosts".
func (id ID) String() string { return id.Kind + " " + id.Name }

// ParseID is the inverse of ID.String.
func ParseID(text string) (ID, error) {
	kind, name, found := strings.Cut(text, " ")
	if !found || kind == "" || name == "" {
		return ID{}, fmt.Errorf("resource %q: want KIND NAME", text)
	}
	return ID{Kind: kind, Name: name}, nil
}

// Resource is one thing that a host is to have. Comparing is generic: a
// resource is as wanted when Have equals Want.
type Resource interface {
	// ID names the resource; no two of one host share it.
	ID() ID
	// Validate reports what makes the declaration unusable, before any host is
	// touched.
	Validate() error
	// Digest identifies the declaration: it changes when what is declared does,
	// and never with a host.
	Digest() string
	// Ask adds to the questions that one look at the host answers.
	Ask(*Questions)
	// Want is the state to be reached, given what was seen.
	Want(View) State
	// Have is the state seen, in the terms of Want.
	Have(View) State
	// Bring returns the operations that turn Have into Want, and the state to
	// remember once they are done.
	Bring(View, Materials) (Operations, error)
}

// View is what a resource may look at to compare itself with its host.
type View struct {
	Now time.Time
	// Facts were observed on the host.
	Facts *Facts
	// Last is what was last applied to this resource there, nil when never.
	Last State
	// Authorities holds the certificates (PEM) of the cluster's authorities, by
	// name: empty while one is still to be made, missing while its host can't be
	// asked.
	Authorities map[string][]byte
	// Changed holds the host's resources, of those before this one, that the
	// same run changes in more than mode or owner.
	Changed map[ID]bool
}

// Materials supplies what can't be declared because it is secret, random or
// large. They exist only while a plan is applied.
type Materials interface {
	// Authority returns an authority's certificate and key, both PEM; it is
	// made at the first call when the cluster has none.
	Authority(name string) (certPEM, keyPEM []byte, err error)
	// Issue makes a certificate and its key, both PEM, signed by an authority.
	Issue(Certificate) (certPEM, keyPEM []byte, err error)
	// Random replaces the placeholders that RandomPlaceholder and
	// KeyPlaceholder left in content.
	Random(content []byte) ([]byte, error)
	// Staged is the path on the host of an uploaded artifact.
	Staged(Artifact) (path string, err error)
	// Push puts an image into its registry and returns the digest that the
	// registry knows it by, as in "sha256:…".
	Push(Image) (manifest string, err error)
}

// Operations bring one resource about.
type Operations struct {
	// Ops run on the host, in order.
	Ops []Op
	// Applied is the state that the host has once Ops are done.
	Applied State
}

// Op is one operation of the script that runs on a host: a verb that the
// script knows and its arguments, which stay data.
type Op struct {
	Verb string
	Args []string
}

// State is what is or is to be: attributes in the order they are shown. A nil
// State means that the thing is absent.
type State []Attribute

// Attribute is one comparable property.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Get returns an attribute's value, "" when there is none.
func (s State) Get(name string) string {
	for _, attribute := range s {
		if attribute.Name == name {
			return attribute.Value
		}
	}
	return ""
}

// Difference is an attribute that is not as wanted.
type Difference struct {
	Name string `json:"name"`
	Have string `json:"have"`
	Want string `json:"want"`
}

// Differences lists, in the order of want, every attribute whose value differs.
func Differences(have, want State) []Difference {
	var differences []Difference
	for _, attribute := range want {
		if value := have.Get(attribute.Name); value != attribute.Value {
			differences = append(differences, Difference{Name: attribute.Name, Have: value, Want: attribute.Value})
		}
	}
	return differences
}

// digest is the SHA-256, in hex, of parts; no two lists of parts share one.
func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Sum is the SHA-256 of content in hex, as sha256sum(1) prints it.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Attributes of a file system entry. Mode is octal as in chmod(1).
type Attributes struct {
	Mode  string `yaml:"mode"`
	Owner string `yaml:"owner"`
	Group string `yaml:"group"`
}

var (
	wordPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]*$`)
	modePattern    = regexp.MustCompile(`^0[0-7]{3}$`)
	accountPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
)

// withDefaults fills in root and the given mode.
func (a Attributes) withDefaults(mode string) Attributes {
	if a.Mode == "" {
		a.Mode = mode
	}
	if a.Owner == "" {
		a.Owner = "root"
	}
	if a.Group == "" {
		a.Group = a.Owner
	}
	return a
}

func (a Attributes) validate() error {
	if !modePattern.MatchString(a.Mode) {
		return fmt.Errorf("mode %q: write four octal digits, as in 0644", a.Mode)
	}
	for _, account := range []string{a.Owner, a.Group} {
		if !accountPattern.MatchString(account) {
			return fmt.Errorf("account %q: not a user or group name", account)
		}
	}
	return nil
}

func (a Attributes) state() State {
	return State{{"mode", a.Mode}, {"owner", a.Owner + ":" + a.Group}}
}

// IsAttribute tells whether a name in a State is a mode's or an owner's, not
// content.
func IsAttribute(name string) bool {
	switch name {
	case "mode", "owner", "key mode", "key owner":
		return true
	}
	return false
}

// validatePath accepts what can travel to a host as one line and means one
// place: absolute, clean, without control characters.
func validatePath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/") || path == "/":
		return fmt.Errorf("path %q: must be absolute and below /", path)
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q: is not UTF-8", path)
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return fmt.Errorf("path %q: holds control characters or a backslash", path)
	case strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") || strings.Contains(path, "//") || strings.HasSuffix(path, "/"):
		return fmt.Errorf("path %q: must not hold '.', '..' or empty parts", path)
	}
	return nil
}

// validateWord accepts a name that stands in what hosts print and in reports.
func validateWord(what, word string) error {
	if !wordPattern.MatchString(word) {
		return fmt.Errorf("%s %q: want one word of letters, digits and . _ : @ / -", what, word)
	}
	return nil
}

// encode makes any content one line, for an Op's argument.
func encode(content string) string { return base64.StdEncoding.EncodeToString([]byte(content)) }

package resource

import (
	"fmt"
	"regexp"
	"strings"
)

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Artifact is a file too large to travel in a plan: a program. It is known by
// its sum and uploaded only when the host's differs.
type Artifact struct {
	Path string
	Attributes
	// Source is the file's name among the artifacts.
	Source string
	// Sum is the SHA-256 of its content in hex.
	Sum string
}

// ID is the path on the host.
func (a Artifact) ID() ID { return ID{"artifact", a.Path} }

// Validate checks path, source and sum.
func (a Artifact) Validate() error {
	if err := validatePath(a.Path); err != nil {
		return err
	}
	if a.Source == "" || strings.ContainsAny(a.Source, "/\n\x00") {
		return fmt.Errorf("source %q: want a file name", a.Source)
	}
	if !sumPattern.MatchString(a.Sum) {
		return fmt.Errorf("sum %q of %s: want 64 hex digits", a.Sum, a.Source)
	}
	return a.attributes().validate()
}

func (a Artifact) attributes() Attributes { return a.withDefaults("0755") }

// Digest covers content and attributes.
func (a Artifact) Digest() string {
	attributes := a.attributes()
	return digest("artifact", a.Path, a.Sum, attributes.Mode, attributes.Owner, attributes.Group)
}

// Ask wants the sum, from the stamp left by the last upload where it still
// fits.
func (a Artifact) Ask(q *Questions) {
	q.Files = append(q.Files, a.Path)
	q.Known = append(q.Known, a.Path)
}

// Want is the declared content and attributes.
func (a Artifact) Want(View) State {
	return append(State{{"content", a.Sum}}, a.attributes().state()...)
}

// Have is what stands at the path.
func (a Artifact) Have(v View) State { return haveFile(v.Facts, a.Path) }

// NeedsUpload tells whether the host lacks the content.
func (a Artifact) NeedsUpload(v View) bool { return a.Have(v).Get("content") != a.Sum }

// Bring installs the uploaded file, or only mends its attributes.
func (a Artifact) Bring(v View, m Materials) (Operations, error) {
	attributes := a.attributes()
	if !a.NeedsUpload(v) {
		return Operations{Ops: []Op{attributesOp(a.Path, attributes)}, Applied: a.Want(v)}, nil
	}
	staged, err := m.Staged(a)
	if err != nil {
		return Operations{}, err
	}
	stamp := strings.ReplaceAll(strings.TrimPrefix(a.Path, "/"), "/", "!")
	op := Op{Verb: "install", Args: []string{a.Path, attributes.Mode, attributes.Owner, attributes.Group, a.Sum, staged, stamp}}
	return Operations{Ops: []Op{op}, Applied: a.Want(v)}, nil
}

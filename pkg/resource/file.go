package resource

import (
	"fmt"
	"strings"
)

// File is a regular file whose whole content is declared.
type File struct {
	Path string
	Attributes
	Content []byte
	// Secret content never shows in a diff.
	Secret bool
	// Once means that the content is written when the file is absent and left
	// alone from then on: keys and other things made at random. Such content is
	// always secret.
	Once bool
}

// ID is the file's path.
func (f File) ID() ID { return ID{"file", f.Path} }

// Validate checks path, mode and owner.
func (f File) Validate() error {
	if err := validatePath(f.Path); err != nil {
		return err
	}
	return f.attributes().validate()
}

func (f File) attributes() Attributes { return f.withDefaults("0644") }

// Digest covers content and attributes. What a file was made from once says
// nothing of its content later.
func (f File) Digest() string {
	a := f.attributes()
	content := string(f.Content)
	if f.Once {
		content = "made once"
	}
	return digest("file", f.Path, content, a.Mode, a.Owner, a.Group)
}

// Ask wants the file's sum, and its content where a diff may be shown.
func (f File) Ask(q *Questions) {
	q.askSum(f.Path)
	if !f.Secret && !f.Once {
		q.Shown[f.Path] = Sum(f.Content)
	}
}

// Want is the declared content and attributes.
func (f File) Want(v View) State {
	sum := Sum(f.Content)
	if f.Once {
		sum = "made once"
		if fact, ok := v.Facts.Files[f.Path]; ok && fact.Type == "file" {
			sum = fact.Sum
		}
	}
	return append(State{{"content", sum}}, f.attributes().state()...)
}

// Have is what stands at the path.
func (f File) Have(v View) State { return haveFile(v.Facts, f.Path) }

// haveFile is the state of a regular file; anything else shows as its type.
func haveFile(facts *Facts, path string) State {
	fact, ok := facts.Files[path]
	switch {
	case !ok:
		return nil
	case fact.Type != "file":
		return State{{"content", "a " + fact.Type}}
	}
	return State{{"content", fact.Sum}, {"mode", fact.Mode}, {"owner", fact.Owner + ":" + fact.Group}}
}

// Bring writes the file, or only mends its attributes. Where something else
// stands instead of a file that is made once, its content may be behind it.
func (f File) Bring(v View, m Materials) (Operations, error) {
	want, have := f.Want(v), f.Have(v)
	if fact, ok := v.Facts.Files[f.Path]; ok && f.Once && fact.Type != "file" {
		return Operations{}, fmt.Errorf("%s: a %s stands there, and its content can't be made again; put the file itself there, or move it away for a new one", f.ID(), fact.Type)
	}
	if have.Get("content") == want.Get("content") {
		return Operations{Ops: []Op{attributesOp(f.Path, f.attributes())}, Applied: want}, nil
	}
	content, err := m.Random(f.Content)
	if err != nil {
		return Operations{}, fmt.Errorf("make %s: %w", f.ID(), err)
	}
	want[0].Value = Sum(content)
	return Operations{Ops: []Op{WriteOp(f.Path, f.attributes(), content)}, Applied: want}, nil
}

// WriteOp replaces a file's content and attributes atomically.
func WriteOp(path string, a Attributes, content []byte) Op {
	return Op{Verb: "write", Args: []string{path, a.Mode, a.Owner, a.Group, encode(string(content))}}
}

func attributesOp(path string, a Attributes) Op {
	return Op{Verb: "attributes", Args: []string{path, a.Mode, a.Owner, a.Group}}
}

// Directory is a directory with declared attributes; what is in it is not
// declared.
type Directory struct {
	Path string
	Attributes
}

// ID is the directory's path.
func (d Directory) ID() ID { return ID{"directory", d.Path} }

// Validate checks path, mode and owner.
func (d Directory) Validate() error {
	if err := validatePath(d.Path); err != nil {
		return err
	}
	return d.attributes().validate()
}

func (d Directory) attributes() Attributes { return d.withDefaults("0755") }

// Digest covers the attributes.
func (d Directory) Digest() string {
	a := d.attributes()
	return digest("directory", d.Path, a.Mode, a.Owner, a.Group)
}

// Ask wants the entry's attributes.
func (d Directory) Ask(q *Questions) { q.Files = append(q.Files, d.Path) }

// Want is a directory with the declared attributes.
func (d Directory) Want(View) State {
	return append(State{{"type", "directory"}}, d.attributes().state()...)
}

// Have is what stands at the path.
func (d Directory) Have(v View) State {
	fact, ok := v.Facts.Files[d.Path]
	if !ok {
		return nil
	}
	return State{{"type", fact.Type}, {"mode", fact.Mode}, {"owner", fact.Owner + ":" + fact.Group}}
}

// Bring makes the directory. Something else at its path is an error: it may be
// somebody's only copy.
func (d Directory) Bring(v View, _ Materials) (Operations, error) {
	if fact, ok := v.Facts.Files[d.Path]; ok && fact.Type != "directory" {
		return Operations{}, fmt.Errorf("%s: a %s stands there; move it away first", d.ID(), fact.Type)
	}
	a := d.attributes()
	op := Op{Verb: "directory", Args: []string{d.Path, a.Mode, a.Owner, a.Group}}
	return Operations{Ops: []Op{op}, Applied: d.Want(v)}, nil
}

// Placeholders stand in the content of a File that is written Once and are
// replaced when it is: a secret can't be part of a plan.
const (
	// RandomPlaceholder becomes 32 random bytes in base64.
	RandomPlaceholder = "@provision:random-32@"
	// KeyPlaceholder becomes a new private key, PEM.
	KeyPlaceholder = "@provision:private-key@"
)

// HasPlaceholder tells whether content is completed only when it is written.
func HasPlaceholder(content []byte) bool {
	return strings.Contains(string(content), RandomPlaceholder) || strings.Contains(string(content), KeyPlaceholder)
}

// RecordOp replaces what the host remembers of this run.
func RecordOp(content []byte) Op { return Op{Verb: "record", Args: []string{encode(string(content))}} }

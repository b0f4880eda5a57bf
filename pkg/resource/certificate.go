package resource

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"provision/pkg/pki"
)

// Authority is a certificate authority whose certificate and key live on this
// host. Both are made once and never overwritten: everything in the cluster
// that trusts anything trusts them.
type Authority struct {
	Name       string
	CommonName string
	CertPath   string
	KeyPath    string
}

// ID is the authority's name.
func (a Authority) ID() ID { return ID{"authority", a.Name} }

// Validate checks name and paths.
func (a Authority) Validate() error {
	if err := validateWord("authority name", a.Name); err != nil {
		return err
	}
	if a.CommonName == "" {
		return errors.New("an authority needs a commonName")
	}
	return errors.Join(validatePath(a.CertPath), validatePath(a.KeyPath))
}

// Digest covers the declaration.
func (a Authority) Digest() string {
	return digest("authority", a.Name, a.CommonName, a.CertPath, a.KeyPath)
}

// Ask wants the certificate itself, and proof that the key is there.
func (a Authority) Ask(q *Questions) {
	q.askSum(a.CertPath)
	q.Shown[a.CertPath] = ""
	q.askSum(a.KeyPath)
}

// Want is a certificate that is an authority's and in force, and its key.
func (a Authority) Want(v View) State {
	return State{
		{"certificate", "present"},
		{"key", "present"},
		{"key mode", "0600"},
		{"key sum", cmp.Or(v.Last.Get("key sum"), v.Facts.Files[a.KeyPath].Sum, "to be made")},
	}
}

// Have tells which of certificate and key are there.
func (a Authority) Have(v View) State {
	var have State
	if cert, ok := v.Facts.Files[a.CertPath]; ok {
		have = append(have, Attribute{"certificate", presence(cert)})
	}
	if key, ok := v.Facts.Files[a.KeyPath]; ok {
		have = append(have, Attribute{"key", presence(key)}, Attribute{"key mode", key.Mode}, Attribute{"key sum", key.Sum})
	}
	return have
}

// presence says what stands where a file should.
func presence(fact FileFact) string {
	if fact.Type != "file" {
		return "a " + fact.Type
	}
	return "present"
}

// Unsigned tells whether the host has the key of an authority that nothing was
// signed with yet: the run that made it was cut short before the certificate,
// which Bring writes last. A key that was in use before is none.
func (a Authority) Unsigned(v View) bool {
	_, hasCert := v.Facts.Files[a.CertPath]
	return v.Last == nil && !hasCert && v.Facts.Files[a.KeyPath].Type == "file"
}

// Bring writes a new authority where there is none, and the certificate of one
// that has only its key yet. Another half of an authority, one whose key was
// exchanged, or something else in its place, is for a person to judge.
func (a Authority) Bring(v View, m Materials) (Operations, error) {
	have, want := a.Have(v), a.Want(v)
	for _, path := range []string{a.CertPath, a.KeyPath} {
		if fact, ok := v.Facts.Files[path]; ok && fact.Type != "file" {
			return Operations{}, fmt.Errorf("%s: %s is a %s; put the file itself there, so that no new authority is made in its place", a.ID(), path, fact.Type)
		}
	}
	unsigned := a.Unsigned(v)
	if have.Get("certificate") != have.Get("key") && !unsigned {
		return Operations{}, fmt.Errorf("%s: only one of %s and %s is there; put the other back from a backup, or move both away to start a new authority, which replaces every certificate", a.ID(), a.CertPath, a.KeyPath)
	}
	if have != nil && have.Get("key sum") != want.Get("key sum") {
		return Operations{}, fmt.Errorf("%s: %s is not the key that was used before; put it back from a backup, or move it and %s away to start a new authority, which replaces every certificate", a.ID(), a.KeyPath, a.CertPath)
	}
	if have != nil && !unsigned {
		return Operations{Ops: []Op{attributesOp(a.KeyPath, secretAttributes())}, Applied: want}, nil
	}
	cert, key, err := m.Authority(a.Name)
	if err != nil {
		return Operations{}, err
	}
	writeKey, writeCert := WriteOp(a.KeyPath, secretAttributes(), key), WriteOp(a.CertPath, Attributes{Mode: "0644"}.withDefaults(""), cert)
	if unsigned {
		return Operations{Ops: []Op{attributesOp(a.KeyPath, secretAttributes()), writeCert}, Applied: want}, nil
	}
	want[3].Value = Sum(key)
	return Operations{Ops: []Op{writeKey, writeCert}, Applied: want}, nil
}

func secretAttributes() Attributes { return Attributes{Mode: "0600"}.withDefaults("") }

// Trust is a copy of an authority's certificate, for those who check what it
// signed.
type Trust struct {
	Path string
	Attributes
	Authority string
}

// ID is the path.
func (t Trust) ID() ID { return ID{"trust", t.Path} }

// Validate checks path and attributes.
func (t Trust) Validate() error {
	if err := validatePath(t.Path); err != nil {
		return err
	}
	return t.attributes().validate()
}

func (t Trust) attributes() Attributes { return t.withDefaults("0644") }

// Digest covers the declaration.
func (t Trust) Digest() string {
	a := t.attributes()
	return digest("trust", t.Path, t.Authority, a.Mode, a.Owner, a.Group)
}

// Ask wants the copy's sum.
func (t Trust) Ask(q *Questions) { q.askSum(t.Path) }

// Want is the authority's certificate; what was last applied while the
// authority can't be seen.
func (t Trust) Want(v View) State {
	cert, known := v.Authorities[t.Authority]
	sum := Sum(cert)
	switch last := v.Last.Get("content"); {
	case !known && last != "":
		sum = last
	case len(cert) == 0:
		sum = "certificate of authority " + t.Authority
	}
	return append(State{{"content", sum}}, t.attributes().state()...)
}

// Have is what stands at the path.
func (t Trust) Have(v View) State { return haveFile(v.Facts, t.Path) }

// Bring writes the copy, or only mends its attributes.
func (t Trust) Bring(v View, m Materials) (Operations, error) {
	want := t.Want(v)
	if t.Have(v).Get("content") == want.Get("content") {
		return Operations{Ops: []Op{attributesOp(t.Path, t.attributes())}, Applied: want}, nil
	}
	cert, _, err := m.Authority(t.Authority)
	if err != nil {
		return Operations{}, err
	}
	want[0].Value = Sum(cert)
	return Operations{Ops: []Op{WriteOp(t.Path, t.attributes(), cert)}, Applied: want}, nil
}

// Certificate is a certificate and its private key, issued by an authority and
// renewed before it expires.
type Certificate struct {
	CertPath string
	KeyPath  string
	// Owner and group of both files; the certificate is 0644, the key 0600.
	Owner     string
	Group     string
	Authority string
	Request   pki.Request
}

// ID is the certificate's path.
func (c Certificate) ID() ID { return ID{"certificate", c.CertPath} }

// Validate checks paths, owner and what the certificate is for.
func (c Certificate) Validate() error {
	if err := errors.Join(validatePath(c.CertPath), validatePath(c.KeyPath), c.Request.Validate()); err != nil {
		return err
	}
	return c.attributes("0600").validate()
}

func (c Certificate) attributes(mode string) Attributes {
	return Attributes{Mode: mode, Owner: c.Owner, Group: c.Group}.withDefaults(mode)
}

// Digest covers what the certificate is for, who issues it, and its key's place
// and owner.
func (c Certificate) Digest() string {
	a := c.attributes("0600")
	return digest("certificate", c.CertPath, c.Authority, c.Request.Digest(), c.KeyPath, a.Owner, a.Group)
}

// Ask wants the certificate itself and the key's sum.
func (c Certificate) Ask(q *Questions) {
	q.askSum(c.CertPath)
	q.Shown[c.CertPath] = ""
	q.askSum(c.KeyPath)
}

// Want is a valid certificate with the key that it was issued with.
func (c Certificate) Want(v View) State {
	key := c.attributes("0600")
	return State{
		{"certificate", "valid"},
		{"mode", "0644"},
		{"owner", key.Owner + ":" + key.Group},
		{"key", cmp.Or(v.Last.Get("key"), v.Facts.Files[c.KeyPath].Sum, "to be made")},
		{"key mode", key.Mode},
		{"key owner", key.Owner + ":" + key.Group},
	}
}

// Have says what is wrong with the certificate, if anything.
func (c Certificate) Have(v View) State {
	cert, ok := v.Facts.Files[c.CertPath]
	if !ok {
		return nil
	}
	valid := "valid"
	authority, known := v.Authorities[c.Authority]
	if known && len(authority) == 0 {
		valid = "its authority is to be made"
	} else if problems := pki.Problems(cert.Content, c.Request, authority, v.Now, pki.RenewBefore); len(problems) > 0 {
		valid = strings.Join(problems, "; ")
	}
	have := State{{"certificate", valid}, {"mode", cert.Mode}, {"owner", cert.Owner + ":" + cert.Group}}
	key, ok := v.Facts.Files[c.KeyPath]
	if !ok {
		return append(have, Attribute{"key", "absent"})
	}
	return append(have, Attribute{"key", key.Sum}, Attribute{"key mode", key.Mode}, Attribute{"key owner", key.Owner + ":" + key.Group})
}

// NeedsIssue tells whether the certificate or its key has to be replaced, not
// only their attributes mended.
func (c Certificate) NeedsIssue(v View) bool {
	have, want := c.Have(v), c.Want(v)
	return have.Get("certificate") != "valid" || have.Get("key") != want.Get("key")
}

// Bring issues the certificate with a new key, or mends attributes.
func (c Certificate) Bring(v View, m Materials) (Operations, error) {
	want := c.Want(v)
	if !c.NeedsIssue(v) {
		return Operations{
			Ops:     []Op{attributesOp(c.KeyPath, c.attributes("0600")), attributesOp(c.CertPath, c.attributes("0644"))},
			Applied: want,
		}, nil
	}
	cert, key, err := m.Issue(c)
	if err != nil {
		return Operations{}, err
	}
	want[3].Value = Sum(key)
	return Operations{
		Ops:     []Op{WriteOp(c.KeyPath, c.attributes("0600"), key), WriteOp(c.CertPath, c.attributes("0644"), cert)},
		Applied: want,
	}, nil
}

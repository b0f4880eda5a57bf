package resource

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Image is a container image that the registry on this host holds under a name
// and tag. It is pushed by the engine, through the host's connection.
type Image struct {
	// Repository and Tag name the image in the registry.
	Repository string
	Tag        string
	// Source is the image's tar file among the artifacts, Sum its SHA-256.
	Source string
	Sum    string
	// Storage is the registry's root directory: the registry keeps a tag's
	// digest in a file below it, which makes a look at the host enough.
	Storage string
	// Endpoint is the registry's address:port, Authority the name of the
	// authority that signed its certificate.
	Endpoint  string
	Authority string
}

// The grammar of names and tags is the OCI distribution specification's.
var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// ID is the repository and tag.
func (i Image) ID() ID { return ID{"image", i.Repository + ":" + i.Tag} }

// Validate checks names, sum, endpoint and storage path.
func (i Image) Validate() error {
	switch {
	case !repositoryPattern.MatchString(i.Repository):
		return fmt.Errorf("repository %q: want lower-case words joined by '/', '.', '_' or '-'", i.Repository)
	case !tagPattern.MatchString(i.Tag):
		return fmt.Errorf("tag %q: want letters, digits, '_', '.' and '-'", i.Tag)
	case i.Source == "" || strings.ContainsAny(i.Source, "/\n\x00"):
		return fmt.Errorf("source %q: want a file name", i.Source)
	case !sumPattern.MatchString(i.Sum):
		return fmt.Errorf("sum %q of %s: want 64 hex digits", i.Sum, i.Source)
	}
	if _, err := netip.ParseAddrPort(i.Endpoint); err != nil {
		return fmt.Errorf("endpoint %q: want the registry's address:port", i.Endpoint)
	}
	return validatePath(i.Storage)
}

// Digest covers name and content.
func (i Image) Digest() string { return digest("image", i.Repository, i.Tag, i.Sum) }

// link is the file in which distribution keeps a tag's digest
// (distribution, registry/storage/paths.go, manifestTagCurrentPathSpec).
func (i Image) link() string {
	return i.Storage + "/docker/registry/v2/repositories/" + i.Repository + "/_manifests/tags/" + i.Tag + "/current/link"
}

// Ask wants the tag's link.
func (i Image) Ask(q *Questions) { q.askSum(i.link()) }

// Want is the tag that names what was pushed from the declared file.
func (i Image) Want(v View) State {
	return State{{"source", i.Sum}, {"manifest", v.Last.Get("manifest")}}
}

// Have is what the tag names now. Which file it came from is known only from
// the record: the digest of a pushed image can't be told from its tar file
// without compressing it again.
func (i Image) Have(v View) State {
	fact, ok := v.Facts.Files[i.link()]
	if !ok {
		return nil
	}
	return State{{"source", v.Last.Get("source")}, {"manifest", fact.Sum}}
}

// Bring pushes the image. The manifest is recorded as the sum of the tag's
// link, which holds the manifest's digest.
func (i Image) Bring(_ View, m Materials) (Operations, error) {
	manifest, err := m.Push(i)
	if err != nil {
		return Operations{}, err
	}
	return Operations{Applied: State{{"source", i.Sum}, {"manifest", Sum([]byte(manifest))}}}, nil
}

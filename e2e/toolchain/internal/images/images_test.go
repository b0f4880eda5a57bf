package images

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestBuild_SameFilesGiveTheSameDigest(t *testing.T) {
	first := digest(t, build(t, spec(t)))
	// The copies are files of another time and folder.
	if second := digest(t, build(t, spec(t))); first != second {
		t.Errorf("%s, then %s", first, second)
	}
}

func TestBuild_OtherProgramGivesAnotherDigest(t *testing.T) {
	s := spec(t)
	first := digest(t, build(t, s))
	if err := os.WriteFile(s.Program, []byte("other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if digest(t, build(t, s)) == first {
		t.Error("the digest is the same")
	}
}

func TestWrite_TarballLoadsAsTheSameImage(t *testing.T) {
	s := spec(t)
	image := build(t, s)
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := Write(path, s.Tag, image); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(s.Tag)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, loaded) != digest(t, image) {
		t.Error("the digest changed on the way")
	}
	if err := validate.Image(loaded); err != nil {
		t.Error(err)
	}
}

func TestWrite_SameImageGivesTheSameBytes(t *testing.T) {
	s := spec(t)
	var written [2]string
	for i := range written {
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := Write(path, s.Tag, build(t, s)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written[i] = string(text)
	}
	if written[0] != written[1] {
		t.Error("the tarballs differ")
	}
}

func TestBuild_ConfigSaysHowToRun(t *testing.T) {
	config, err := build(t, spec(t)).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if !slices.Equal(c.Entrypoint, []string{"/program"}) || !slices.Equal(c.Env, []string{"PATH=" + searchPath}) || c.User != "65532:65532" {
		t.Errorf("got %+v", c)
	}
	if _, ok := c.ExposedPorts["8080/tcp"]; !ok || config.OS != "linux" || config.Architecture != "amd64" {
		t.Errorf("got %+v", config)
	}
	if !config.Created.Equal(time.Time{}) {
		t.Errorf("a creation time: %v", config.Created)
	}
}

func TestBuild_FilesAreRootsAndComeAfterTheirFolders(t *testing.T) {
	headers := extract(t, build(t, spec(t)))
	made := map[string]bool{"./": true}
	byName := map[string]*tar.Header{}
	for _, h := range headers {
		byName[h.Name] = h
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		if parent := filepath.Dir(filepath.Clean(h.Name)) + "/"; !made[parent] {
			t.Errorf("%s comes before %s", h.Name, parent)
		}
		if h.Typeflag == tar.TypeDir {
			made[h.Name] = true
		}
	}
	if sh := byName["bin/sh"]; sh == nil || sh.Linkname != "busybox" {
		t.Errorf("bin/sh: %+v", sh)
	}
	if p := byName["program"]; p == nil || p.Mode != 0o755 {
		t.Errorf("program: %+v", p)
	}
	if tmp := byName["tmp/"]; tmp == nil || tmp.Mode != 0o1777 {
		t.Errorf("tmp: %+v", tmp)
	}
}

func TestBuild_MissingProgramIsAnError(t *testing.T) {
	s := spec(t)
	s.Program += "-gone"
	if _, err := Build(s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func spec(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	s := Spec{
		Tag: "provision.test/sample:v1", Arch: "amd64", Entrypoint: "/program", User: "65532:65532", Ports: []string{"8080/tcp"},
		Program: filepath.Join(dir, "program"), Busybox: filepath.Join(dir, "busybox"), Applets: []string{"sh", "ls"},
	}
	for _, path := range []string{s.Program, s.Busybox} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func build(t *testing.T, s Spec) v1.Image {
	t.Helper()
	image, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digest(t *testing.T, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// extract reads the layers in order, which is what a runtime unpacks.
func extract(t *testing.T, image v1.Image) []*tar.Header {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var headers []*tar.Header
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		for reader := tar.NewReader(content); ; {
			h, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			headers = append(headers, h)
		}
	}
	return headers
}

// Package images makes container images out of static programs, without a
// container engine, and writes them as docker-archive tarballs. The same files
// give the same bytes.
package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// searchPath is the PATH in every image.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Spec says what goes into an image.
type Spec struct {
	// Tag is the image's name, registry/repository:tag.
	Tag string
	// Arch is the programs' GOARCH.
	Arch string
	// Entrypoint is the program's absolute path in the image, Program the file
	// that is copied there.
	Entrypoint, Program string
	// User is the numeric user:group to run as.
	User string
	// Ports are such as "8080/tcp".
	Ports []string
	// Busybox is a static busybox to copy to /bin/busybox, with links for
	// Applets; empty: none.
	Busybox string
	Applets []string
}

// Build makes the image: one layer with small root files, one with busybox (if
// any) and one with the program, so that two versions of an image share what
// hasn't changed.
func Build(spec Spec) (v1.Image, error) {
	layers := [][]file{rootFiles(spec.User)}
	if spec.Busybox != "" {
		files, err := busyboxFiles(spec.Busybox, spec.Applets)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", spec.Tag, err)
		}
		layers = append(layers, files)
	}
	program, err := os.ReadFile(spec.Program)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", spec.Tag, err)
	}
	layers = append(layers, []file{{name: spec.Entrypoint, mode: 0o755, content: program}})

	image := empty.Image
	for _, files := range layers {
		if image, err = appendLayer(image, files); err != nil {
			return nil, fmt.Errorf("image %s: %w", spec.Tag, err)
		}
	}
	return withConfig(image, spec)
}

func appendLayer(image v1.Image, files []file) (v1.Image, error) {
	content, err := archive(files)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	return mutate.AppendLayers(image, layer)
}

// withConfig sets what a runtime reads. No creation time: it would make every
// digest a new one.
func withConfig(image v1.Image, spec Spec) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", spec.Tag, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", spec.Arch
	config.Config = v1.Config{
		Entrypoint: []string{spec.Entrypoint},
		Env:        []string{"PATH=" + searchPath},
		User:       spec.User,
		WorkingDir: "/",
	}
	for _, port := range spec.Ports {
		if config.Config.ExposedPorts == nil {
			config.Config.ExposedPorts = map[string]struct{}{}
		}
		config.Config.ExposedPorts[port] = struct{}{}
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", spec.Tag, err)
	}
	return image, nil
}

// Write writes the image to a docker-archive tarball.
func Write(file, tag string, image v1.Image) error {
	reference, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	if err := tarball.WriteToFile(file, reference, image); err != nil {
		return fmt.Errorf("write image %s: %w", tag, err)
	}
	return nil
}

// archive is a layer's tar: no times, no owners but root, folders before what
// is in them.
func archive(files []file) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	made := map[string]bool{"/": true}
	for _, f := range files {
		if err := writeFile(w, made, f); err != nil {
			return nil, fmt.Errorf("make layer: %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	return buffer.Bytes(), nil
}

func writeFile(w *tar.Writer, made map[string]bool, f file) error {
	if parent := path.Dir(f.name); !made[parent] {
		if err := writeFile(w, made, file{name: parent, mode: 0o755, folder: true}); err != nil {
			return err
		}
	}
	header := &tar.Header{Name: f.name[1:], Mode: f.mode, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Size: int64(len(f.content))}
	switch {
	case f.folder:
		made[f.name] = true
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	case f.link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.link
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(f.content)
	return err
}

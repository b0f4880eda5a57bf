package recipe

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"
)

// A Pin is what a component's go.mod and go.sum hold fast.
type Pin struct {
	// Versions are the required modules' versions, replacements applied.
	Versions map[string]string
	// Sums are the checksums of whole modules, by "path version".
	Sums map[string]string
	// Facts are the lines that, together, decide what gets compiled: every
	// requirement, replacement, checksum and, for replacements by a folder,
	// the files in it. Comments and order don't count.
	Facts []string
}

// ReadPin reads a component's folder.
func ReadPin(dir string) (Pin, error) {
	path := filepath.Join(dir, "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return Pin{}, fmt.Errorf("read pinned versions: %w", err)
	}
	mod, err := modfile.Parse(path, text, nil)
	if err != nil {
		return Pin{}, fmt.Errorf("read pinned versions: %w", err)
	}
	pin := Pin{Versions: map[string]string{}, Sums: map[string]string{}}
	for _, r := range mod.Require {
		pin.Versions[r.Mod.Path] = r.Mod.Version
		pin.Facts = append(pin.Facts, "require "+r.Mod.String())
	}
	for _, r := range mod.Replace {
		pin.Facts = append(pin.Facts, "replace "+r.Old.String()+" "+r.New.String())
		if r.New.Version != "" {
			pin.Versions[r.Old.Path] = r.New.Version
			continue
		}
		files, err := sourceFacts(filepath.Join(dir, r.New.Path))
		if err != nil {
			return Pin{}, err
		}
		pin.Facts = append(pin.Facts, files...)
	}
	for _, g := range mod.Godebug {
		pin.Facts = append(pin.Facts, "godebug "+g.Key+"="+g.Value)
	}
	if mod.Go != nil {
		pin.Facts = append(pin.Facts, "go "+mod.Go.Version)
	}
	if err := pin.readSums(filepath.Join(dir, "go.sum")); err != nil {
		return Pin{}, err
	}
	sort.Strings(pin.Facts)
	return pin, nil
}

func (p *Pin) readSums(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checksums: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		p.Facts = append(p.Facts, "sum "+strings.Join(fields, " "))
		p.Sums[fields[0]+" "+fields[1]] = fields[2]
	}
	return nil
}

// sumHex is the module's go.sum checksum in hex.
func (p Pin) sumHex(module, version string) (string, error) {
	sum, ok := strings.CutPrefix(p.Sums[module+" "+version], "h1:")
	if !ok {
		return "", fmt.Errorf("go.sum has no checksum of %s %s", module, version)
	}
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil {
		return "", fmt.Errorf("checksum of %s %s: %w", module, version, err)
	}
	return hex.EncodeToString(raw), nil
}

// sourceFacts are the names and contents' hashes of a folder's files, tests
// left out.
func sourceFacts(dir string) ([]string, error) {
	var facts []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		facts = append(facts, "file "+filepath.Base(dir)+"/"+filepath.ToSlash(rel)+" "+hash(string(text)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sources in %s: %w", dir, err)
	}
	return facts, nil
}

package store

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"provision/e2e/toolchain/internal/sums"
)

// VersionsFile is the name of the file that says what versions a set has.
const VersionsFile = "versions.json"

// SetDir is where the output directory of a key is or will be.
func (s *Store) SetDir(key string) string { return filepath.Join(s.dir, key) }

// CheckSet verifies the output directory of a key: nil says that every file
// named, and those that Publish adds, is there with the recorded sum.
func (s *Store) CheckSet(ctx context.Context, key string, names []string) error {
	dir := s.SetDir(key)
	recorded, err := sums.Read(dir)
	if err != nil {
		return err
	}
	for _, name := range append([]string{VersionsFile}, names...) {
		if recorded[name] == "" {
			return &sums.MismatchError{Names: []string{name}}
		}
	}
	if err := sums.Verify(ctx, dir, recorded); err != nil {
		return err
	}
	// The time tells Prune which sets are in use.
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return fmt.Errorf("mark toolchain as used: %w", err)
	}
	return nil
}

// Publish puts entries and the versions file into the output directory of a
// key, with their sums, all at once.
func (s *Store) Publish(key string, entries []Entry, versions []byte) (string, error) {
	tmp, err := os.MkdirTemp(s.tmpDir(), "set-")
	if err != nil {
		return "", fmt.Errorf("publish toolchain: %w", err)
	}
	defer os.RemoveAll(tmp)
	all := map[string]string{}
	for _, e := range entries {
		if err := os.Link(e.path, filepath.Join(tmp, e.Name)); err != nil {
			return "", fmt.Errorf("publish toolchain: %w", err)
		}
		all[e.Name] = e.Sum
	}
	path := filepath.Join(tmp, VersionsFile)
	if err := os.WriteFile(path, versions, 0o644); err != nil {
		return "", fmt.Errorf("publish toolchain: %w", err)
	}
	if all[VersionsFile], err = sums.File(path); err != nil {
		return "", fmt.Errorf("publish toolchain: %w", err)
	}
	if err := writeSums(tmp, all); err != nil {
		return "", fmt.Errorf("publish toolchain: %w", err)
	}
	dir := s.SetDir(key)
	if err := replaceDir(tmp, dir); err != nil {
		return "", fmt.Errorf("publish toolchain: %w", err)
	}
	return dir, nil
}

func writeSums(dir string, all map[string]string) error {
	f, err := os.Create(filepath.Join(dir, sums.FileName))
	if err != nil {
		return err
	}
	if err := sums.Write(f, all); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Export copies a set to a directory of the caller's, leaving alone the files
// that are right already. Copies, not links: the caller may change them.
func (s *Store) Export(ctx context.Context, key, to string) error {
	from := s.SetDir(key)
	want, err := sums.Read(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("export toolchain: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if sum, err := sums.File(target); err == nil && sum == want[name] {
			continue
		}
		if err := copyFile(filepath.Join(from, name), target); err != nil {
			return fmt.Errorf("export toolchain: %w", err)
		}
	}
	return copyFile(filepath.Join(from, sums.FileName), filepath.Join(to, sums.FileName))
}

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// keepSets is how many output directories stay: the one in use, and two
	// more for switching between branches.
	keepSets = 3
	// keepLoose is how long a file that is in no set stays, such as those of a
	// build that was cut off and may go on.
	keepLoose = 24 * time.Hour
)

// Prune removes what is no longer of use. The caller holds the lock; whatever
// is in tmp then belongs to a process that died.
func (s *Store) Prune(current string, now time.Time) error {
	return errors.Join(s.ClearTmp(), s.pruneSets(current), s.pruneLoose(now))
}

// ClearTmp removes unfinished work. The caller holds the lock.
func (s *Store) ClearTmp() error {
	if err := os.RemoveAll(s.tmpDir()); err != nil {
		return fmt.Errorf("prune toolchain cache: %w", err)
	}
	if err := os.MkdirAll(s.tmpDir(), 0o755); err != nil {
		return fmt.Errorf("prune toolchain cache: %w", err)
	}
	return nil
}

func (s *Store) pruneSets(current string) error {
	found, err := filepath.Glob(filepath.Join(s.dir, "*", "SHA256SUMS"))
	if err != nil {
		return fmt.Errorf("prune toolchain cache: %w", err)
	}
	used := map[string]time.Time{}
	var others []string
	for _, path := range found {
		dir := filepath.Dir(path)
		info, err := os.Stat(dir)
		if err != nil || dir == s.SetDir(current) {
			continue
		}
		used[dir] = info.ModTime()
		others = append(others, dir)
	}
	slices.SortFunc(others, func(a, b string) int { return used[b].Compare(used[a]) })
	for _, dir := range others[min(len(others), keepSets-1):] {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("prune toolchain cache: %w", err)
		}
	}
	return nil
}

// pruneLoose removes old entries that no set links to, which the file's link
// count says.
func (s *Store) pruneLoose(now time.Time) error {
	dirs, err := filepath.Glob(filepath.Join(s.programsDir(), "*", "*"))
	if err != nil {
		return fmt.Errorf("prune toolchain cache: %w", err)
	}
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, filepath.Base(filepath.Dir(dir))))
		if err == nil {
			stat, ok := info.Sys().(*syscall.Stat_t)
			if !ok || stat.Nlink > 1 || now.Sub(info.ModTime()) < keepLoose {
				continue
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("prune toolchain cache: %w", err)
		}
	}
	return nil
}

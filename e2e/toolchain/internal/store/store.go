// Package store keeps built files on disk, one folder per file and key, and
// whole output directories made of them. It doesn't know how a file is built.
//
//	DIR/lock                     held by the one process that writes
//	DIR/tmp/…                    unfinished work; garbage whenever the lock is free
//	DIR/programs/NAME/KEY/NAME   a built file, and record.json beside it
//	DIR/SETKEY/…                 an output directory: hard links, sums, versions
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"provision/e2e/toolchain/internal/sums"
)

// ErrAbsent says that nothing is stored under a name and key.
var ErrAbsent = errors.New("not built yet")

// A DamagedError says that a stored file is no longer what was built.
type DamagedError struct{ Name string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("cached %s doesn't match its recorded sum", e.Name)
}

// A Store is a folder on disk.
type Store struct {
	dir string
}

// An Entry is one stored file.
type Entry struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	Sum  string `json:"sha256"`
	Size int64  `json:"size"`
	// Seconds is how long the build took.
	Seconds float64 `json:"seconds"`
	path    string
}

// Open makes the store's folders where they are missing.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir}
	for _, d := range []string{s.tmpDir(), s.programsDir()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("open toolchain cache: %w", err)
		}
	}
	return s, nil
}

func (s *Store) tmpDir() string      { return filepath.Join(s.dir, "tmp") }
func (s *Store) programsDir() string { return filepath.Join(s.dir, "programs") }

func (s *Store) entryDir(name, key string) string {
	return filepath.Join(s.programsDir(), name, key)
}

// Path is where the entry's file lies.
func (e Entry) Path() string { return e.path }

// Lookup returns a stored file after checking its sum: ErrAbsent or a
// *DamagedError say that it has to be built.
func (s *Store) Lookup(name, key string) (Entry, error) {
	dir := s.entryDir(name, key)
	text, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, ErrAbsent
	}
	if err != nil {
		return Entry{}, fmt.Errorf("look up %s: %w", name, err)
	}
	var e Entry
	if err := json.Unmarshal(text, &e); err != nil || e.Name != name {
		return Entry{}, &DamagedError{Name: name}
	}
	e.path = filepath.Join(dir, name)
	sum, err := sums.File(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, &DamagedError{Name: name}
	}
	if err != nil {
		return Entry{}, err
	}
	if sum != e.Sum {
		return Entry{}, &DamagedError{Name: name}
	}
	return e, nil
}

// Put stores the file that build writes to the path it is given. The file
// appears under its key complete or not at all.
func (s *Store) Put(name, key string, build func(path string) error) (Entry, error) {
	tmp, err := os.MkdirTemp(s.tmpDir(), name+"-")
	if err != nil {
		return Entry{}, fmt.Errorf("store %s: %w", name, err)
	}
	defer os.RemoveAll(tmp)
	started := time.Now()
	path := filepath.Join(tmp, name)
	if err := build(path); err != nil {
		return Entry{}, err
	}
	e := Entry{Name: name, Key: key, Seconds: time.Since(started).Seconds()}
	if err := e.measure(path); err != nil {
		return Entry{}, fmt.Errorf("store %s: %w", name, err)
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return Entry{}, fmt.Errorf("store %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "record.json"), append(text, '\n'), 0o644); err != nil {
		return Entry{}, fmt.Errorf("store %s: %w", name, err)
	}
	final := s.entryDir(name, key)
	if err := replaceDir(tmp, final); err != nil {
		return Entry{}, fmt.Errorf("store %s: %w", name, err)
	}
	e.path = filepath.Join(final, name)
	return e, nil
}

func (e *Entry) measure(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	e.Size = info.Size()
	e.Sum, err = sums.File(path)
	return err
}

// replaceDir renames a finished folder into place; an old one (damaged, or half
// removed) goes first. MkdirTemp made the folder private.
func replaceDir(tmp, final string) error {
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	return os.Rename(tmp, final)
}

// Package artifact owns the files that are uploaded to hosts: where they come
// from, and that they are what their sums say.
package artifact

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"provision/pkg/inventory"
)

// SumsFile lists the artifacts beside them, in the format of sha256sum(1).
const SumsFile = "SHA256SUMS"

// Store is where artifacts come from.
type Store struct {
	place string
	sums  map[string]string
	open  func(ctx context.Context, name string) (io.ReadCloser, int64, error)
}

// New opens the place that an inventory names, and reads its sums.
func New(ctx context.Context, from inventory.Artifacts, cacheDir string) (*Store, error) {
	var store *Store
	if from.URL != "" {
		store = newRemote(from.URL, cacheDir)
	} else {
		store = newDirectory(from.Dir)
		if _, err := os.Stat(from.Dir); err != nil {
			return nil, fmt.Errorf("artifacts: %w; put the programs there with a %s, or change artifacts.dir in the inventory", err, SumsFile)
		}
	}
	if err := store.readSums(ctx); err != nil {
		return nil, err
	}
	maps.Copy(store.sums, from.Sums)
	if len(store.sums) == 0 {
		return nil, fmt.Errorf("artifacts: %s has no %s; make it with sha256sum * >%s, and check it against its source", store.place, SumsFile, SumsFile)
	}
	return store, nil
}

func newDirectory(dir string) *Store {
	return &Store{place: dir, open: func(_ context.Context, name string) (io.ReadCloser, int64, error) {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, 0, err
		}
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return nil, 0, err
		}
		return file, info.Size(), nil
	}}
}

// readSums reads SHA256SUMS. A place without one is fine as long as the
// inventory gives every sum itself.
func (s *Store) readSums(ctx context.Context) error {
	s.sums = map[string]string{}
	file, _, err := s.open(ctx, SumsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read sums of artifacts: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", SumsFile, s.place, err)
	}
	s.sums, err = parseSums(text)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", SumsFile, s.place, err)
	}
	return nil
}

var sumLine = regexp.MustCompile(`^([0-9a-f]{64}) [ *]([^/\\]+)$`)

func parseSums(text []byte) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		match := sumLine.FindStringSubmatch(lines.Text())
		if match == nil {
			return nil, fmt.Errorf("line %d: want a SHA-256, two spaces and a file name, as sha256sum prints", number)
		}
		sum, name := match[1], match[2]
		if known, again := sums[name]; again && known != sum {
			return nil, fmt.Errorf("line %d: %s has another sum on a line before", number, name)
		}
		sums[name] = sum
	}
	return sums, lines.Err()
}

// Sum is the SHA-256 of an artifact in hex.
func (s *Store) Sum(name string) (string, error) {
	sum, ok := s.sums[name]
	if !ok {
		return "", fmt.Errorf("artifact %s has no sum: list it in %s of %s, or under artifacts.sums in the inventory", name, SumsFile, s.place)
	}
	return sum, nil
}

// Names lists the artifacts that have a sum, sorted.
func (s *Store) Names() []string { return slices.Sorted(maps.Keys(s.sums)) }

// Open opens an artifact and tells its size in bytes. Reading to the end fails
// when the content does not have the sum.
func (s *Store) Open(ctx context.Context, name, sum string) (io.ReadCloser, int64, error) {
	content, size, err := s.open(ctx, name)
	if err != nil {
		return nil, 0, fmt.Errorf("open artifact %s: %w", name, err)
	}
	return newChecked(content, name, sum), size, nil
}

// Package sums writes and checks SHA256SUMS files in sha256sum(1)'s format. It
// doesn't decide what to do about a file that fails.
package sums

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// FileName is the customary name.
const FileName = "SHA256SUMS"

// workers is how many files are summed at once.
const workers = 2

// A MismatchError names the files that are missing or differ from their sums.
type MismatchError struct{ Names []string }

func (e *MismatchError) Error() string {
	return "sum doesn't match: " + strings.Join(e.Names, ", ")
}

// File sums one file.
func File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("sum file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("sum %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Write writes sums by file name, sorted.
func Write(w io.Writer, sums map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		// sha256sum(1) escapes such names; nothing here is called so.
		if strings.ContainsAny(name, "\\/\n\r") || name == "" {
			return fmt.Errorf("write sums: file name %q", name)
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", sums[name], name); err != nil {
			return fmt.Errorf("write sums: %w", err)
		}
	}
	return nil
}

// Parse reads what Write or sha256sum(1) wrote.
func Parse(r io.Reader) (map[string]string, error) {
	sums := map[string]string{}
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		sum, name, ok := strings.Cut(scanner.Text(), " ")
		raw, err := hex.DecodeString(sum)
		if !ok || err != nil || len(raw) != sha256.Size || len(name) < 2 {
			return nil, fmt.Errorf("parse sums: line %d is not a sum and a file name", n)
		}
		// The character before the name is ' ' (text) or '*' (binary).
		sums[name[1:]] = sum
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("parse sums: %w", err)
	}
	return sums, nil
}

// Read parses dir's sums file.
func Read(dir string) (map[string]string, error) {
	f, err := os.Open(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("read sums: %w", err)
	}
	defer f.Close()
	return Parse(f)
}

// Verify sums the files in dir and compares. What differs comes back as a
// *MismatchError.
func Verify(ctx context.Context, dir string, want map[string]string) error {
	names := slices.Sorted(maps.Keys(want))
	bad := make([]bool, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, name := range names {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			sum, err := File(filepath.Join(dir, name))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			bad[i] = sum != want[name]
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	mismatch := &MismatchError{}
	for i, name := range names {
		if bad[i] {
			mismatch.Names = append(mismatch.Names, name)
		}
	}
	if len(mismatch.Names) > 0 {
		return mismatch
	}
	return nil
}

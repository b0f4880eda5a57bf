package blueprint

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Overlay is a tree of template sets in which every file of Over hides the one
// of the same name in Base: an operator changes or adds a file without a copy
// of the rest.
type Overlay struct {
	Over, Base fs.FS
}

// Open opens a file of Over, or else of Base.
func (o Overlay) Open(name string) (fs.File, error) {
	file, err := o.Over.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o.Base.Open(name)
	}
	return file, err
}

// ReadDir lists a folder of both, each name once.
func (o Overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	over, errOver := fs.ReadDir(o.Over, name)
	base, errBase := fs.ReadDir(o.Base, name)
	switch {
	case errOver != nil && !errors.Is(errOver, fs.ErrNotExist):
		return nil, errOver
	case errOver != nil && errBase != nil, errBase != nil && !errors.Is(errBase, fs.ErrNotExist):
		return nil, errBase
	}
	for _, entry := range base {
		if !slices.ContainsFunc(over, func(e fs.DirEntry) bool { return e.Name() == entry.Name() }) {
			over = append(over, entry)
		}
	}
	slices.SortFunc(over, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return over, nil
}

package inventory

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
)

// Load reads an inventory file. Mistakes in it are Errors.
func Load(path string) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of an inventory file. The file's name stands in
// messages, and relative paths start at its folder. Mistakes are Errors.
func Parse(filename string, data []byte) (*Inventory, error) {
	src := newSource()
	inv := &Inventory{}
	if document := readDocument(data, src); document != nil {
		decoder{src}.value(document, root, reflect.ValueOf(inv).Elem(), field{})
		inv.complete()
		checker{src, inv}.check()
		inv.resolvePaths(src, filepath.Dir(filename))
		inv.inherit()
	}
	if len(src.errs) == 0 {
		return inv, nil
	}
	return nil, src.all(filename)
}

// Command writedescriptions writes the doc comments of a Go file's types into
// another Go file.
package main

import (
	"fmt"
	"os"

	"provision/pkg/inventory/internal/describe"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: writedescriptions PACKAGE FROM TO")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "writedescriptions:", err)
		os.Exit(1)
	}
}

func write(pkg, from, to string) error {
	src, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	comments, err := describe.Comments(from, src)
	if err != nil {
		return err
	}
	out, err := describe.Source(pkg, comments)
	if err != nil {
		return err
	}
	return os.WriteFile(to, out, 0o644)
}

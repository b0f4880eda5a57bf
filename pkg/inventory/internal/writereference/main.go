// Command writereference writes the inventory reference.
package main

import (
	"fmt"
	"os"

	"provision/pkg/inventory"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: writereference TO")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], inventory.Reference(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "writereference:", err)
		os.Exit(1)
	}
}

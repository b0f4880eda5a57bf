package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestReference_IsCurrent compares docs/commands.md with what --help prints;
// -update writes it.
func TestReference_IsCurrent(t *testing.T) {
	const path = "../../docs/commands.md"
	var want bytes.Buffer
	want.WriteString("# Commands\n\nWhat `--help` prints, for every command. Written by `make generate`.\n")
	writeReference(&want, newRoot(&results{w: io.Discard}, io.Discard))
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what --help prints: run make generate", path)
	}
}

func writeReference(out *bytes.Buffer, command *cobra.Command) {
	var help bytes.Buffer
	command.SetOut(&help)
	command.InitDefaultHelpFlag()
	_ = command.Help()
	fmt.Fprintf(out, "\n## %s\n\n```\n%s\n```\n", command.CommandPath(), strings.TrimSpace(help.String()))
	for _, child := range command.Commands() {
		if child.IsAvailableCommand() {
			writeReference(out, child)
		}
	}
}

package command

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOutput_ReturnsStandardOutput(t *testing.T) {
	out, err := Output(t.Context(), "sh", "-c", "echo out; echo err >&2")
	if err != nil || string(out) != "out\n" {
		t.Fatalf("got %q, %v", out, err)
	}
}

func TestFeed_GivesInput(t *testing.T) {
	out, err := Feed(t.Context(), "hello", "cat")
	if err != nil || string(out) != "hello" {
		t.Fatalf("got %q, %v", out, err)
	}
}

func TestRun_FailureTellsCommandStatusAndWords(t *testing.T) {
	err := Run(t.Context(), "sh", "-c", "echo no such bridge >&2; exit 3")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("the exit status is lost: %v", err)
	}
	if !strings.Contains(err.Error(), "no such bridge") {
		t.Fatalf("the program's words are lost: %v", err)
	}
}

func TestRun_CancelEndsTheProgram(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := Run(ctx, "sleep", "30")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a deadline error", err)
	}
	if time.Since(begin) > interruptGrace {
		t.Fatal("sleep obeys SIGTERM, yet it was waited for until it was killed")
	}
}

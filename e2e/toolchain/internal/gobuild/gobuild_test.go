package gobuild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"provision/e2e/toolchain/internal/recipe"
)

var target = recipe.Target{OS: "linux", Arch: runtime.GOARCH}

const printer = "package main\n\nvar version = \"unset\"\n\nfunc main() { println(version) }\n"

func job(versionArgs []string) recipe.Job {
	return recipe.Job{
		Program:     recipe.Program{Name: "printer", Package: ".", Version: "v1.2.3", VersionArgs: versionArgs},
		LinkerFlags: "-s -w -X=main.version=v1.2.3",
	}
}

func TestRun_BuildsAStaticProgramThatSaysItsVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "printer")
	if err := Run(context.Background(), source(t, printer), target, job([]string{}), path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestRun_UnstampedProgramIsAnError(t *testing.T) {
	j := job([]string{"--version"})
	j.LinkerFlags = ""
	err := Run(context.Background(), source(t, printer), target, j, filepath.Join(t.TempDir(), "printer"))
	if err == nil || !strings.Contains(err.Error(), "doesn't say that it is version 1.2.3") || !strings.Contains(err.Error(), "unset") {
		t.Errorf("got %v", err)
	}
}

func TestRun_FailureShowsTheCompilersOutput(t *testing.T) {
	err := Run(context.Background(), source(t, "package main\n\nfunc main() { undefinedName() }\n"), target, job(nil), filepath.Join(t.TempDir(), "x"))
	var failed *BuildError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "undefined: undefinedName") {
		t.Errorf("got %v", err)
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Run(ctx, source(t, printer), target, job(nil), filepath.Join(t.TempDir(), "x"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckStatic_RefusesADynamicProgram(t *testing.T) {
	path := "/bin/ls"
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		t.Skip("only on Debian is ls known to be dynamic")
	}
	if err := CheckStatic(path); err == nil {
		t.Errorf("%s passed for static", path)
	}
}

func TestEnvironment_DropsWhatWouldChangeTheBinary(t *testing.T) {
	got := environment([]string{"PATH=/bin", "GOFLAGS=-mod=mod", "CGO_ENABLED=1", "GOARCH=riscv64"}, target, false)
	want := []string{"PATH=/bin", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "CGO_ENABLED=0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTail_KeepsTheLastLines(t *testing.T) {
	for output, want := range map[string]string{"": "", "a\n": "a", "a\nb\nc\n": "b\nc"} {
		if got := tail([]byte(output), 2); got != want {
			t.Errorf("tail of %q is %q, want %q", output, got, want)
		}
	}
}

func source(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module printer\n\ngo 1.26.0\n", "main.go": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Package gobuild runs `go build` for one program and checks what comes out. It
// doesn't choose versions or places.
package gobuild

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"provision/e2e/toolchain/internal/recipe"
)

// tailLines is how much of a failed build's output is shown.
const tailLines = 30

// stopDelay is how long a cancelled build may take to clean up.
const stopDelay = 5 * time.Second

// A BuildError carries the end of the compiler's output.
type BuildError struct {
	Program string
	Command string
	Tail    string
	Err     error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("build %s: %v\n  %s\n%s", e.Program, e.Err, e.Command, indent(e.Tail))
}

func (e *BuildError) Unwrap() error { return e.Err }

// Run builds job to path; dir is the folder of the component's go.mod.
func Run(ctx context.Context, dir string, target recipe.Target, job recipe.Job, path string) error {
	args := []string{
		"build", "-trimpath", "-mod=readonly", "-buildvcs=false",
		"-tags=" + strings.Join(job.Tags, ","), "-ldflags=" + job.LinkerFlags, "-o", path, job.Package,
	}
	output, err := run(ctx, dir, environment(os.Environ(), target, job.Cgo), "go", args...)
	if err != nil {
		return &BuildError{
			Program: job.Name, Command: "(in " + dir + ") go " + strings.Join(args, " "),
			Tail: tail(output, tailLines), Err: err,
		}
	}
	if err := CheckStatic(path); err != nil {
		return fmt.Errorf("build %s: %w", job.Name, err)
	}
	if job.VersionArgs == nil {
		return nil
	}
	return checkVersion(ctx, job, path)
}

// environment is ours less what would make a build depend on the person who
// runs it.
func environment(environ []string, target recipe.Target, cgo bool) []string {
	drop := []string{
		"GOFLAGS=", "GOWORK=", "GOOS=", "GOARCH=", "GOAMD64=", "GOARM64=", "GOEXPERIMENT=",
		"CGO_ENABLED=", "CGO_CFLAGS=", "CGO_LDFLAGS=",
	}
	var kept []string
	for _, v := range environ {
		dropped := false
		for _, prefix := range drop {
			dropped = dropped || strings.HasPrefix(v, prefix)
		}
		if !dropped {
			kept = append(kept, v)
		}
	}
	enabled := "CGO_ENABLED=0"
	if cgo {
		enabled = "CGO_ENABLED=1"
	}
	return append(kept, "GOFLAGS=", "GOWORK=off", "GOOS="+target.OS, "GOARCH="+target.Arch, enabled)
}

// run starts a command in a process group of its own, so that cancelling it
// ends the compilers and linkers it started too.
func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopDelay
	err := cmd.Run()
	if ctx.Err() != nil {
		return output.Bytes(), context.Cause(ctx)
	}
	return output.Bytes(), err
}

// CheckStatic refuses a program that asks for a dynamic loader or libraries:
// hosts and images needn't have them.
func CheckStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("check that it is static: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("the program is not static: it asks for a dynamic loader")
		}
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("check that it is static: %w", err)
	}
	if len(libraries) > 0 {
		return fmt.Errorf("the program is not static: it needs %s", strings.Join(libraries, ", "))
	}
	return nil
}

func checkVersion(ctx context.Context, job recipe.Job, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	output, err := run(ctx, ".", os.Environ(), path, job.VersionArgs...)
	bare := strings.TrimPrefix(job.Version, "v")
	if !bytes.Contains(output, []byte(bare)) {
		return &BuildError{
			Program: job.Name, Command: job.Name + " " + strings.Join(job.VersionArgs, " "), Tail: tail(output, 5),
			Err: errors.Join(fmt.Errorf("the program doesn't say that it is version %s", bare), err),
		}
	}
	return nil
}

// tail is the last n lines.
func tail(output []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}

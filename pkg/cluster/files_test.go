package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"provision/pkg/remote"
)

// localHost runs commands on this machine.
type localHost struct {
	Host
	shell []string // what stands for sh
}

func (h localHost) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	args := append(append([]string{}, h.shell...), command.Args[1:]...)
	var stderr bytes.Buffer
	run := exec.CommandContext(ctx, args[0], args[1:]...)
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		err = &remote.CommandError{Host: "local", Command: command.String(), Status: 1, Stdout: string(out), Stderr: stderr.String(), Err: err}
	}
	return remote.Result{Stdout: out}, err
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{
		"two lines":         "a\nb\n",
		"no end of line":    "a",
		"empty":             "",
		"like a section":    "5\nhello-\n",
		"it's $(touch no)!": "é\x00\xff\r\n\n\n",
	}
	paths := []string{filepath.Join(dir, "not there"), dir}
	for name, content := range want {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash"}, {"busybox", "sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skip(err)
			}
			files, err := readFiles(t.Context(), localHost{shell: shell}, paths...)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != len(want) {
				t.Errorf("read %d files, want %d", len(files), len(want))
			}
			for name, content := range want {
				if got, ok := files[filepath.Join(dir, name)]; !ok || string(got) != content {
					t.Errorf("%s: %q, want %q", name, got, content)
				}
			}
		})
	}
}

func TestPodNetworkScript_PrintsFourSections(t *testing.T) {
	for _, shell := range [][]string{{"dash"}, {"bash"}, {"busybox", "sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			for _, program := range []string{shell[0], "ip"} {
				if _, err := exec.LookPath(program); err != nil {
					t.Skip(err)
				}
			}
			result, err := localHost{shell: shell}.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", podNetworkScript}})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := splitSections(result.Stdout, 4)
			if err != nil {
				t.Fatal(err)
			}
			if up := interfacesUp(string(parts[3])); !up["lo"] {
				t.Errorf("lo is not up in %q", parts[3])
			}
		})
	}
}

// brokenHost fails with part of a file printed.
type brokenHost struct{ Host }

func (brokenHost) Run(_ context.Context, command remote.Command) (remote.Result, error) {
	printed := "241\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0"
	if command.Secret { // as package remote does
		printed = ""
	}
	return remote.Result{Stdout: []byte(printed)}, &remote.CommandError{Host: "master", Command: "cat", Status: -1, Stdout: printed, Err: context.Canceled}
}

func TestReadFiles_ErrorHoldsNothingOfAFile(t *testing.T) {
	_, err := readFiles(t.Context(), brokenHost{}, authorityKey)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("got %v", err)
	}
}

func TestSplitSections_RefusesWhatDoesNotAddUp(t *testing.T) {
	for _, output := range []string{"", "-", "x\n", "-1\n", "+1\na", "2\na", "1\nab", "-\n-\n", "99999999999999999999\n"} {
		if sections, err := splitSections([]byte(output), 1); err == nil {
			t.Errorf("%q was taken for %q", output, sections)
		}
	}
}

func FuzzSplitSections(f *testing.F) {
	f.Add([]byte("2\nab-\n0\n"), 3)
	f.Fuzz(func(t *testing.T, output []byte, count int) {
		sections, err := splitSections(output, count&7)
		total := 0
		for _, s := range sections {
			total += len(s)
		}
		if err == nil && total > len(output) {
			t.Errorf("%d bytes out of %d", total, len(output))
		}
	})
}

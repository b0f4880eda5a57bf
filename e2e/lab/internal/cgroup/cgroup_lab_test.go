//go:build lab

package cgroup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// tree makes control groups that end with the test.
func tree(t *testing.T) *Tree {
	t.Helper()
	groups, err := At("provision-cgroup-test-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if err := groups.Make(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := groups.Kill(context.Background()); err != nil {
			t.Error(err)
		}
		if err := groups.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return groups
}

// run starts a shell script in the control groups.
func run(t *testing.T, groups *Tree, script string) {
	t.Helper()
	shell := exec.Command("sh", "-c", "read go; "+script)
	input, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = groups.Kill(context.Background())
		_ = shell.Wait() // tells only that it was killed
	})
	for _, dir := range groups.Dirs() {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(shell.Process.Pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := input.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
}

func TestFreeze_CatchesShellsInTheMiddleOfVfork(t *testing.T) {
	groups := tree(t)
	for range 4 {
		run(t, groups, "while :; do /bin/true; done")
	}
	for i := range 200 {
		if err := groups.Freeze(t.Context()); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if frozen, err := groups.Frozen(); err != nil || !frozen {
			t.Fatalf("round %d: frozen is %v, %v", i, frozen, err)
		}
		if err := groups.Thaw(t.Context()); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

func TestKill_EndsWhatIsFrozenBelow(t *testing.T) {
	groups := tree(t)
	run(t, groups, "sleep 1000")
	if err := groups.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := groups.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pids, err := groups.PIDs(); err != nil || len(pids) != 0 {
		t.Fatalf("left: %v, %v", pids, err)
	}
}

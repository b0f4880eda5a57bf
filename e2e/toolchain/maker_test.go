package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"provision/e2e/toolchain/internal/console"
	"provision/e2e/toolchain/internal/recipe"
	"provision/e2e/toolchain/internal/store"
	"provision/e2e/toolchain/internal/sums"
)

// These build the pause image for real: it needs the standard library only.

func TestMake_SecondRunBuildsNothing(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	dir, told := make1(t, cache)
	if !strings.Contains(told, "built pause.tar") {
		t.Errorf("first run told %q", told)
	}
	again, told := make1(t, cache)
	if again != dir || told != "" {
		t.Errorf("second run gave %s and told %q", again, told)
	}
}

func TestMake_DamagedFileIsBuiltAgain(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	dir, _ := make1(t, cache)
	before, err := sums.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pause.tar"), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir, told := make1(t, cache)
	if !strings.Contains(told, "cached pause.tar doesn't match its recorded sum: building it again") {
		t.Errorf("told %q", told)
	}
	if strings.Contains(told, "built pause ") {
		t.Errorf("the program was built again too: %q", told)
	}
	if err := sums.Verify(context.Background(), dir, before); err != nil {
		t.Error(err)
	}
}

func TestMake_CutOffBuildGoesOnWithWhatIsDone(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	dir, _ := make1(t, cache)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(cache, "programs", "pause.tar")); err != nil {
		t.Fatal(err)
	}
	_, told := make1(t, cache)
	if strings.Contains(told, "built pause ") || !strings.Contains(told, "built pause.tar ") {
		t.Errorf("told %q", told)
	}
}

func TestMake_MissingSourceIsAnErrorAndLeavesNoDirectory(t *testing.T) {
	m, _ := newMaker(t, filepath.Join(t.TempDir(), "cache"))
	m.plan.root = t.TempDir()
	dir, err := m.make(context.Background())
	if err == nil || dir != "" {
		t.Errorf("got %q, %v", dir, err)
	}
	if _, err := os.Stat(m.cache.SetDir(m.plan.key)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("output directory: %v", err)
	}
}

func TestMake_EndsWithItsContext(t *testing.T) {
	m, _ := newMaker(t, filepath.Join(t.TempDir(), "cache"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.make(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// make1 makes everything and returns the directory and what was told.
func make1(t *testing.T, cache string) (dir, told string) {
	t.Helper()
	m, out := newMaker(t, cache)
	dir, err := m.make(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return dir, out.String()
}

func newMaker(t *testing.T, cache string) (*maker, *strings.Builder) {
	t.Helper()
	var programs []recipe.Program
	for _, p := range recipe.Programs() {
		if p.Name == "pause" {
			programs = append(programs, p)
		}
	}
	target := recipe.Target{GoVersion: runtime.Version(), OS: "linux", Arch: runtime.GOARCH}
	p, err := newPlan(".", target, programs, recipe.Images()[:1])
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cache)
	if err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	progress := console.New(out, false, time.Now)
	t.Cleanup(progress.Close)
	return &maker{plan: p, cache: s, progress: progress, lanes: 1}, out
}

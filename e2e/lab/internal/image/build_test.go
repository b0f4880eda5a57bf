package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeBootstrap puts an mmdebstrap before the real one: a shell script that finds the directory to make in $target.
func fakeBootstrap(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	text := "#!/bin/sh\nset -e\nfor target; do case $target in *" + partialSuffix + ") break;; esac; done\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(bin, "mmdebstrap"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

func leanRecipe() *Recipe {
	return &Recipe{Flavour: Lean, Packages: []string{"systemd"}, Sources: []string{"deb http://x y main"}}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("left in the cache: %s", entry.Name())
	}
}

func TestEnsure_ManyAtOnceBuildOnce(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	fakeBootstrap(t, `mkdir -p "$target/etc/ssh"; echo built >>`+count+`; sleep 0.2`)
	cache := Cache{Dir: t.TempDir()}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			root, err := cache.Ensure(t.Context(), leanRecipe(), &bytes.Buffer{})
			if err != nil {
				t.Error(err)
			} else if _, err := os.Stat(filepath.Join(root, "etc/systemd/system/lab-host.service")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if built, err := os.ReadFile(count); err != nil || string(built) != "built\n" {
		t.Fatalf("got %q, %v; want one build", built, err)
	}
}

func TestEnsure_FailedBuildLeavesNothingAndTellsWhy(t *testing.T) {
	fakeBootstrap(t, `mkdir -p "$target/etc"; echo "E: no mirror" >&2; exit 1`)
	cache := Cache{Dir: t.TempDir()}
	var log bytes.Buffer
	if _, err := cache.Ensure(t.Context(), leanRecipe(), &log); err == nil {
		t.Fatal("a failed build made an image")
	}
	if !strings.Contains(log.String(), "no mirror") {
		t.Fatalf("the reason is not told: %s", log.String())
	}
	wantEmpty(t, cache.Dir)
}

func TestEnsure_InterruptedBuildLeavesNothing(t *testing.T) {
	fakeBootstrap(t, `mkdir -p "$target/etc"; exec sleep 30`)
	cache := Cache{Dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := cache.Ensure(ctx, leanRecipe(), &bytes.Buffer{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	wantEmpty(t, cache.Dir)
}

func TestEnsure_RemainsOfAKilledBuildAreReplaced(t *testing.T) {
	fakeBootstrap(t, `mkdir "$target" && mkdir -p "$target/etc"`)
	cache := Cache{Dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(cache.Dir, leanRecipe().Hash()+partialSuffix, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Ensure(t.Context(), leanRecipe(), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
}

func TestEnsure_OldImagesAreRemovedFreshOnesStay(t *testing.T) {
	fakeBootstrap(t, `mkdir -p "$target/etc"`)
	cache := Cache{Dir: t.TempDir()}
	old, fresh := filepath.Join(cache.Dir, "old"), filepath.Join(cache.Dir, "fresh")
	for _, dir := range []string{old, fresh} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * keepUnused)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Ensure(t.Context(), leanRecipe(), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("an image that nobody used for long is kept")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("an image in use is gone: %v", err)
	}
}

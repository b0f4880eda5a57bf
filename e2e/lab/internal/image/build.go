package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"provision/e2e/lab/internal/command"
	"provision/e2e/lab/internal/flock"
	"provision/e2e/lab/internal/proc"
)

// keepUnused is how long an image that no host uses stays in the cache once a newer one was built.
const keepUnused = 24 * time.Hour

// partialSuffix marks a directory whose build has not ended, or was killed.
const partialSuffix = ".partial"

// Cache is the directory in which images are kept, each under its recipe's hash.
type Cache struct{ Dir string }

// UserCache returns the cache of the user that runs this process.
func UserCache() (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("find the cache directory: %w", err)
	}
	return Cache{Dir: filepath.Join(dir, "provision", "lab")}, nil
}

// Ensure returns the root directory of the recipe's image and builds it first where it is missing. Processes that want the
// same image at the same time wait for the one that builds it.
func (c Cache) Ensure(ctx context.Context, recipe *Recipe, log io.Writer) (string, error) {
	root := filepath.Join(c.Dir, recipe.Hash())
	if built, err := c.use(root); built || err != nil {
		return root, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", fmt.Errorf("make image cache: %w", err)
	}
	lock, err := flock.Acquire(ctx, root+".lock", func() {
		fmt.Fprintf(log, "lab: another process builds the %s image; waiting for it\n", recipe.Flavour)
	})
	if err != nil {
		return "", err
	}
	defer lock.Release()
	if built, err := c.use(root); built || err != nil {
		return root, err
	}
	begin := time.Now()
	fmt.Fprintf(log, "lab: building the %s image (%d packages and what they need), once a week, in %s\n",
		recipe.Flavour, len(recipe.Packages), root)
	if err := build(ctx, recipe, root, lock, log); err != nil {
		return "", fmt.Errorf("build %s image: %w", recipe.Flavour, err)
	}
	fmt.Fprintf(log, "lab: built the %s image in %s\n", recipe.Flavour, time.Since(begin).Round(time.Second))
	return root, c.prune(root)
}

// use reports whether an image is there and notes that it is wanted today.
func (c Cache) use(root string) (bool, error) {
	now := time.Now()
	err := os.Chtimes(root, now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// build makes the image beside its place and moves it there when it is whole.
func build(ctx context.Context, recipe *Recipe, root string, lock *flock.Lock, log io.Writer) error {
	partial := root + partialSuffix
	if err := discard(ctx, partial); err != nil {
		return err
	}
	args := []string{"--mode=root", "--variant=minbase", "--format=directory", "--skip=cleanup/apt/lists"}
	for _, option := range recipe.AptOptions {
		args = append(args, "--aptopt="+option)
	}
	args = append(args, "--include="+strings.Join(recipe.Packages, ","), Suite, partial, "-")
	cmd := command.New(ctx, "mmdebstrap", args...)
	cmd.Stdin = strings.NewReader(strings.Join(recipe.Sources, "\n") + "\n")
	cmd.Stdout, cmd.Stderr = log, log
	// If this process is killed mmdebstrap goes on; as it holds the lock too, the next builder waits for its end.
	cmd.ExtraFiles = []*os.File{lock.File()}
	err := cmd.Run()
	if err == nil {
		err = customise(ctx, recipe, partial)
	}
	if err == nil {
		err = os.Rename(partial, root)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return errors.Join(err, discard(context.WithoutCancel(ctx), partial))
	}
	return nil
}

// discard removes what is left of a build, taking care not to reach into the machine through a mount in it.
func discard(ctx context.Context, partial string) error {
	points, err := proc.MountsBelow(partial)
	if err != nil {
		return err
	}
	for _, point := range points {
		if err := command.Run(ctx, "umount", point); err != nil {
			return fmt.Errorf("discard an unfinished image: %w", err)
		}
	}
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("discard an unfinished image: %w", err)
	}
	return nil
}

// prune removes images that were replaced: not used for a while and not below any mounted host.
func (c Cache) prune(current string) error {
	mounted, err := proc.Overlays()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("list image cache: %w", err)
	}
	for _, entry := range entries {
		dir := filepath.Join(c.Dir, entry.Name())
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || dir == current || strings.HasSuffix(dir, partialSuffix) {
			continue
		}
		if time.Since(info.ModTime()) < keepUnused || slices.Contains(mounted, dir) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove an old image: %w", err)
		}
	}
	return nil
}

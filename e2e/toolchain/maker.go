package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"provision/e2e/toolchain/internal/console"
	"provision/e2e/toolchain/internal/debian"
	"provision/e2e/toolchain/internal/gobuild"
	"provision/e2e/toolchain/internal/images"
	"provision/e2e/toolchain/internal/recipe"
	"provision/e2e/toolchain/internal/store"
	"provision/e2e/toolchain/internal/sums"
)

// defaultLanes keeps two cores busy: one component links, on one core, while
// the other compiles.
const defaultLanes = 2

// A maker carries a plan out.
type maker struct {
	plan     plan
	cache    *store.Store
	progress *console.Console
	lanes    int

	mu      sync.Mutex
	entries map[string]store.Entry
}

// make returns the directory with everything in it, after building what the
// cache lacks.
func (m *maker) make(ctx context.Context) (string, error) {
	if done, err := m.complete(ctx); done || err != nil {
		return m.cache.SetDir(m.plan.key), err
	}
	unlock, err := m.cache.Lock(ctx, func(holder string) {
		m.progress.Say("waiting for another toolchain build (%s)", holder)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	// The other process may have built it all.
	if done, err := m.complete(ctx); done || err != nil {
		return m.cache.SetDir(m.plan.key), err
	}
	if err := m.cache.ClearTmp(); err != nil {
		return "", err
	}
	if err := m.fill(ctx); err != nil {
		return "", err
	}
	return m.publish()
}

// complete says whether the output directory is there and right.
func (m *maker) complete(ctx context.Context) (bool, error) {
	err := m.cache.CheckSet(ctx, m.plan.key, m.plan.published())
	var mismatch *sums.MismatchError
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.As(err, &mismatch), errors.Is(err, fs.ErrNotExist):
		// fill says which files it builds again.
		return false, nil
	}
	m.progress.Say("output directory is made anew: %v", err)
	return false, nil
}

// fill looks up every program and image and builds those that aren't there.
func (m *maker) fill(ctx context.Context) error {
	m.entries = map[string]store.Entry{}
	wanted := map[string]bool{}
	var needs []string
	for _, job := range m.plan.jobs {
		absent, err := m.lookUp(job.Name, job.Key)
		if err != nil {
			return err
		}
		if absent {
			wanted[job.Name] = true
			needs = append(needs, job.Needs...)
		}
	}
	var wantedImages []recipe.ImageJob
	for _, image := range m.plan.images {
		absent, err := m.lookUp(image.Name, image.Key)
		if err != nil {
			return err
		}
		if absent {
			wantedImages = append(wantedImages, image)
			needs = append(needs, image.Needs...)
		}
	}
	m.progress.Expect(len(wanted) + len(wantedImages))
	if err := m.provide(ctx, needs); err != nil {
		return err
	}
	if err := m.buildPrograms(ctx, wanted); err != nil {
		return err
	}
	for _, image := range wantedImages {
		if err := m.buildImage(image); err != nil {
			return err
		}
	}
	return nil
}

// lookUp remembers a stored file, or says that it is absent.
func (m *maker) lookUp(name, key string) (absent bool, err error) {
	entry, err := m.cache.Lookup(name, key)
	var damaged *store.DamagedError
	switch {
	case err == nil:
		m.entries[name] = entry
		return false, nil
	case errors.As(err, &damaged):
		m.progress.Say("%v: building it again", err)
		return true, nil
	case errors.Is(err, store.ErrAbsent):
		return true, nil
	}
	return false, err
}

// provide installs the Debian packages that the builds to come need.
func (m *maker) provide(ctx context.Context, needs []string) error {
	missing, err := debian.Missing(needs)
	if err != nil || len(missing) == 0 {
		return err
	}
	m.progress.Say("installing Debian packages: %s", strings.Join(missing, " "))
	return debian.Install(ctx, missing)
}

// buildPrograms works through the components, a few at once; what is finished
// is stored even when another fails.
func (m *maker) buildPrograms(ctx context.Context, wanted map[string]bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(m.lanes)
	for _, lane := range m.plan.lanes(wanted) {
		group.Go(func() error {
			for _, job := range lane {
				if err := m.buildProgram(ctx, job); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (m *maker) buildProgram(ctx context.Context, job recipe.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.put(job.Name, job.Key, func(path string) error {
		return gobuild.Run(ctx, filepath.Join(m.plan.root, job.Component), m.plan.target, job, path)
	})
}

func (m *maker) buildImage(job recipe.ImageJob) error {
	return m.put(job.Name, job.Key, func(path string) error {
		spec := images.Spec{
			Tag: job.Tag, Arch: m.plan.target.Arch, User: job.User, Ports: job.Ports, Applets: job.Applets,
			Entrypoint: "/" + job.Program, Program: m.entries[job.Program].Path(),
		}
		if len(job.Applets) > 0 {
			if err := gobuild.CheckStatic(debian.BusyboxPath); err != nil {
				return fmt.Errorf("%s: install busybox-static: %w", debian.BusyboxPath, err)
			}
			spec.Busybox = debian.BusyboxPath
		}
		image, err := images.Build(spec)
		if err != nil {
			return err
		}
		return images.Write(path, job.Tag, image)
	})
}

// put builds one file into the cache and tells of it.
func (m *maker) put(name, key string, build func(path string) error) error {
	m.progress.Start(name)
	entry, err := m.cache.Put(name, key, build)
	if err != nil {
		m.progress.Abandon(name)
		return err
	}
	m.progress.Finish(name, entry.Size)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[name] = entry
	return nil
}

// publish makes the output directory and clears away what is no longer of use.
func (m *maker) publish() (string, error) {
	versions, err := m.plan.versions()
	if err != nil {
		return "", err
	}
	var entries []store.Entry
	for _, name := range m.plan.published() {
		entries = append(entries, m.entries[name])
	}
	dir, err := m.cache.Publish(m.plan.key, entries, versions)
	if err != nil {
		return "", err
	}
	if err := m.cache.Prune(m.plan.key, time.Now()); err != nil {
		m.progress.Say("%v", err)
	}
	return dir, nil
}

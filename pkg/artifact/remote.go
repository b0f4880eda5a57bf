package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// newRemote is a store at an http or https URL. The operator's machine
// downloads each file once a run, into cacheDir, however many hosts get it.
func newRemote(base, cacheDir string) *Store {
	downloads := &downloads{base: strings.TrimSuffix(base, "/"), dir: cacheDir, files: map[string]*download{}}
	return &Store{place: base, open: downloads.open}
}

// downloads holds what was downloaded and what is being: whoever opens a file
// meanwhile shares the download and its end. One that failed is forgotten, so
// that the next to open the file tries again.
type downloads struct {
	base  string
	dir   string
	mutex sync.Mutex
	files map[string]*download
}

// download is done once ended is closed; only then may path and err be read.
type download struct {
	ended chan struct{}
	path  string
	err   error
}

func (d *downloads) open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	for {
		path, err := d.path(ctx, name)
		switch {
		case err == nil:
			return newDirectory(filepath.Dir(path)).open(ctx, filepath.Base(path))
		case isCancelled(err) && ctx.Err() == nil:
			// Somebody else's download was cancelled, not this one's.
			continue
		}
		return nil, 0, err
	}
}

// path downloads a file, or waits for who does.
func (d *downloads) path(ctx context.Context, name string) (string, error) {
	d.mutex.Lock()
	file, known := d.files[name]
	if !known {
		file = &download{ended: make(chan struct{})}
		d.files[name] = file
	}
	d.mutex.Unlock()
	if known {
		select {
		case <-file.ended:
			return file.path, file.err
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the download of %s: %w", name, ctx.Err())
		}
	}
	file.path, file.err = d.fetch(ctx, name)
	if file.err != nil {
		d.mutex.Lock()
		delete(d.files, name)
		d.mutex.Unlock()
	}
	close(file.ended)
	return file.path, file.err
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (d *downloads) fetch(ctx context.Context, name string) (string, error) {
	from := d.base + "/" + url.PathEscape(name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", fmt.Errorf("download %s: %w", from, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("download: %w", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", fmt.Errorf("download %s: %w", from, fs.ErrNotExist)
	default:
		return "", fmt.Errorf("download %s: the server answered %s", from, response.Status)
	}
	path := filepath.Join(d.dir, name)
	if err := save(path, response.Body); err != nil {
		return "", fmt.Errorf("download %s: %w", from, err)
	}
	return path, nil
}

// save writes a file that is there whole or not at all.
func save(path string, content io.Reader) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".download-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
)

// Upload streams size bytes of r into a new file on the host and returns its path. The file lies in a directory that only
// the login user can enter, made once per connection under /var/tmp and removed by Close; name is the end of its name,
// for people. progress, if not nil, is called with the number of bytes that were sent since its last call, from one
// goroutine at a time.
//
// When ctx ends, Upload returns at once and the part that was sent is removed. A Read of r must not block for ever.
func (c *Client) Upload(ctx context.Context, name string, size int64, r io.Reader, progress func(n int64)) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("upload to %s: %q is not a plain file name", c.target.Name, name)
	}
	start := time.Now()
	c.counters.uploads.Add(1)
	src := &source{r: r, left: size, progress: progress}
	in := &input{r: src}
	file := ""
	err := c.await(ctx, func() error {
		var err error
		file, err = c.send(ctx, in, src, name)
		return err
	})
	in.stop()
	c.log.DebugContext(ctx, "ssh upload", "name", name, "size", size, "duration", time.Since(start), "error", err)
	if err != nil {
		return "", fmt.Errorf("upload %s to %s: %w", name, c.target.Name, err)
	}
	return file, nil
}

// send uploads src, read through in, as a new file in the staging directory.
func (c *Client) send(ctx context.Context, in *input, src *source, name string) (string, error) {
	client, file, err := c.staging.next(ctx, c, name)
	if err != nil {
		return "", err
	}
	remote, err := client.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", fmt.Errorf("create %s: %w", file, err)
	}
	_, err = remote.ReadFromWithConcurrency(in, maxRequests)
	switch {
	case in.failed() != nil:
		err = fmt.Errorf("read the source: %w", in.failed())
	case err == nil && src.left != 0:
		err = fmt.Errorf("read the source: it ended %d bytes early", src.left)
	case err != nil:
		err = fmt.Errorf("write %s: %w", file, err)
	}
	if closeErr := remote.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write %s: %w", file, closeErr)
	}
	if err != nil {
		_ = client.Remove(file) // else Close removes it with the directory
		return "", err
	}
	return file, nil
}

// source is what is uploaded: exactly as many bytes as were announced.
type source struct {
	r        io.Reader
	left     int64
	progress func(int64)
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		n, err := s.r.Read(make([]byte, 1))
		if n > 0 {
			err = errors.New("it is longer than announced")
		}
		return 0, err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if n > 0 && s.progress != nil {
		s.progress(int64(n))
	}
	return n, err
}

const (
	stagingRoot = "/var/tmp" // on disk, unlike /tmp on many hosts, and large enough for binaries
	maxRequests = 64         // SFTP writes under way at once: 2 MiB, the window that OpenSSH gives a session
)

// staging is the SFTP session of a connection and its directory; both are made by the first upload.
type staging struct {
	mu    sync.Mutex
	sftp  *sftp.Client
	dir   string
	files int // uploaded so far
}

// next returns the SFTP client and the path of a new file.
func (s *staging) next(ctx context.Context, c *Client, name string) (*sftp.Client, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sftp == nil {
		client, err := c.openSFTP(ctx)
		if err != nil {
			return nil, "", err
		}
		s.sftp = client
	}
	if s.dir == "" {
		dir, err := makePrivate(s.sftp)
		if err != nil {
			return nil, "", fmt.Errorf("make a directory for uploads: %w", err)
		}
		s.dir = dir
	}
	s.files++
	return s.sftp, path.Join(s.dir, fmt.Sprintf("%d-%s", s.files, name)), nil
}

// remove removes the directory with all that is in it.
func (s *staging) remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return nil
	}
	dir := s.dir
	s.dir = ""
	if err := s.sftp.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s on the host: %w", dir, err)
	}
	return nil
}

// makePrivate makes a directory of mode 0700. SFTP can set the mode only afterwards, so the name cannot be guessed, must
// be new, and the directory must be empty once it is closed to others.
func makePrivate(client *sftp.Client) (string, error) {
	dir := path.Join(stagingRoot, "provision-"+strings.ToLower(rand.Text()))
	if err := client.Mkdir(dir); err != nil {
		return "", fmt.Errorf("mkdir %s: %w", dir, err)
	}
	if err := client.Chmod(dir, 0o700); err != nil {
		return "", fmt.Errorf("chmod %s: %w", dir, err)
	}
	entries, err := client.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", dir, err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("someone else put files into %s", dir)
	}
	return dir, nil
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// File is content to upload.
type File struct {
	// Name is the end of the file's name on the host, for people.
	Name string
	// Size is how many bytes Content has.
	Size int64
	// Sum is the SHA-256 of the content in hex, by which an upload that was cut short is found again and gone on with; ""
	// is not known.
	Sum string
	// Content is read to its end, by one goroutine. A Read must not block for ever. Where it is an [io.Seeker], what the
	// host has already is not read.
	Content io.Reader
	// Progress, if not nil, is called with the number of bytes that were sent since its last call, from one goroutine at a
	// time; bytes that the host had already count too.
	Progress func(n int64)
}

// Upload streams a file to the host and returns its path there. The file lies in a directory that only the login user can
// enter, made once per connection under /var/tmp and removed by Close. Over a connection that breaks, a file with a Sum
// stays there for a day, and the next upload of it, ten seconds later or more, goes on where this one ended.
//
// When ctx ends, Upload returns at once and the part that was sent is removed.
func (c *Client) Upload(ctx context.Context, file File) (string, error) {
	if file.Name == "" || file.Name == "." || file.Name == ".." || strings.ContainsAny(file.Name, "/\x00") || strings.ContainsAny(file.Sum, "/\x00") {
		return "", fmt.Errorf("upload to %s: %q is not a plain file name", c.login.Name, file.Name)
	}
	start := time.Now()
	c.counters.uploads.Add(1)
	src := &source{r: file.Content, left: file.Size, progress: file.Progress}
	in := &input{r: src}
	var place slot
	err := c.await(ctx, func() error {
		var err error
		if place, err = c.staging.place(ctx, c, file); err != nil {
			return err
		}
		return c.send(ctx, in, src, place, file)
	})
	in.stop()
	log := c.log.With("name", file.Name, "size", file.Size, "duration", time.Since(start))
	if err != nil {
		log.DebugContext(ctx, "ssh upload failed", "error", err)
		return "", fmt.Errorf("upload %s to %s: %w", file.Name, c.login.Name, err)
	}
	log.DebugContext(ctx, "ssh upload", "resumed", place.size)
	return place.path, nil
}

// send uploads src, read through in, to its place; what is there already is not sent again.
func (c *Client) send(ctx context.Context, in *input, src *source, place slot, file File) error {
	err := src.skip(place.size)
	if err == nil {
		err = place.append(ctx, place.path, place.size, in)
	}
	switch {
	case in.failed() != nil:
		err = fmt.Errorf("read the source: %w", in.failed())
	case err == nil && src.left != 0:
		err = fmt.Errorf("read the source: it ended %d bytes early", src.left)
	case err != nil:
		err = c.explainWrite(ctx, place.path, src.left, err)
	case place.size > 0:
		err = c.checkSum(ctx, place.path, file.Sum)
	}
	if err != nil && c.lost() == nil {
		_ = place.remove(context.WithoutCancel(ctx), place.path) // else Close removes it with the directory
	}
	return err
}

// checkSum tells whether a file that was uploaded in several parts is what it should be.
func (c *Client) checkSum(ctx context.Context, file, sum string) error {
	result, err := c.Run(ctx, Command{Args: []string{"sha256sum", "--", file}})
	if err != nil {
		return err
	}
	if got, _, _ := strings.Cut(string(result.Stdout), " "); strings.TrimPrefix(got, `\`) != sum {
		return fmt.Errorf("what an earlier run had uploaded of it was damaged, and is removed: run again")
	}
	return nil
}

// explainWrite says that the disk is full, where that is why a file could not be written: SFTP says "failure".
func (c *Client) explainWrite(ctx context.Context, file string, left int64, err error) error {
	err = fmt.Errorf("write %s: %w", file, err)
	if c.lost() != nil || ctx.Err() != nil {
		return err
	}
	result, failed := c.Run(ctx, Command{Args: []string{"df", "-Pk", "--", stagingRoot}})
	fields := strings.Fields(string(result.Stdout))
	if failed == nil && len(fields) > 6 && left > 0 {
		// The last line's fields are: file system, blocks, used, available, capacity, mount point; POSIX, df.
		if available := fields[len(fields)-3]; available == "0" || len(available) < 4 {
			return fmt.Errorf("%w: the disk of %s is full, %s KiB are free", err, stagingRoot, available)
		}
	}
	return err
}

// source is what is uploaded: exactly as many bytes as were announced.
type source struct {
	r        io.Reader
	left     int64
	progress func(int64)
}

// skip passes over the first n bytes.
func (s *source) skip(n int64) error {
	if n == 0 {
		return nil
	}
	var err error
	if seeker, ok := s.r.(io.Seeker); ok {
		_, err = seeker.Seek(n, io.SeekCurrent)
	} else {
		_, err = io.CopyN(io.Discard, s.r, n)
	}
	if err != nil {
		return fmt.Errorf("read the source: %w", err)
	}
	s.sent(n)
	return nil
}

func (s *source) sent(n int64) {
	s.left -= n
	if n > 0 && s.progress != nil {
		s.progress(n)
	}
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
	s.sent(int64(n))
	return n, err
}

package remote

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
)

var (
	//go:embed staging.sh
	stagingScript string
	//go:embed append.sh
	appendScript string
)

// stagingRoot is on disk, unlike /tmp on many hosts, and large enough for binaries.
const stagingRoot = "/var/tmp"

// staging is the upload directory of a connection, and what writes into it; both are made by the first upload.
type staging struct {
	mu    sync.Mutex
	dir   string
	free  int64 // bytes that are free there, as far as is known
	files int   // uploaded so far
	parts map[string]part
	write writer
}

// part is a file that an earlier connection began to upload, by the sum that it should have in the end.
type part struct {
	path string
	size int64
}

// writer writes content at the end of a file on the host: over SFTP, or with cat(1) where the host has no SFTP.
type writer interface {
	// append writes what is read from in at the offset, which is the size of the file.
	append(ctx context.Context, file string, offset int64, in *input) error
	// rename moves a file to another name of the same file system.
	rename(ctx context.Context, from, to string) error
	// remove removes a file.
	remove(ctx context.Context, file string) error
	// removeDir removes a directory, if it is empty.
	removeDir(ctx context.Context, dir string) error
}

// slot is the place of one upload: a new file, or one begun earlier.
type slot struct {
	writer
	path string
	size int64 // bytes that are there already
}

// place returns a place for a file, where there is room for it.
func (s *staging) place(ctx context.Context, c *Client, file File) (slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		if err := s.open(ctx, c); err != nil {
			return slot{}, err
		}
	}
	s.files++
	place := slot{writer: s.write, path: path.Join(s.dir, fmt.Sprintf("%d-%s", s.files, file.Name))}
	if file.Sum != "" {
		place.path = path.Join(s.dir, fmt.Sprintf("%d-%s.part", s.files, file.Sum))
		if begun, ok := s.parts[file.Sum]; ok && begun.size <= file.Size {
			delete(s.parts, file.Sum)
			if err := s.write.rename(ctx, begun.path, place.path); err == nil {
				place.size = begun.size
				_ = s.write.removeDir(ctx, path.Dir(begun.path)) // when its last part is taken
			}
		}
	}
	if need := file.Size - place.size; need > s.free {
		return slot{}, fmt.Errorf("there is no room: %s is to get %s, and %s are free; make room, or mount a larger %s", stagingRoot, mebibytes(need), mebibytes(s.free), stagingRoot)
	}
	s.free -= file.Size - place.size
	return place, nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// open makes the directory, and chooses how to write into it.
func (s *staging) open(ctx context.Context, c *Client) error {
	result, err := c.Run(ctx, Command{Name: "make a directory for uploads", Args: []string{"sh", "-c", code(stagingScript), "provision", stagingRoot}})
	if err != nil {
		return err
	}
	if err := s.parse(result.Stdout); err != nil {
		return fmt.Errorf("make a directory for uploads: %w", err)
	}
	client, err := c.openSFTP(ctx)
	if err == nil {
		s.write = sftpWriter{client}
		return nil
	}
	if lost := c.lost(); lost != nil {
		return lost
	}
	c.log.DebugContext(ctx, "ssh upload without SFTP", "reason", err)
	s.write = shellWriter{c}
	return nil
}

func (s *staging) parse(answer []byte) error {
	s.parts = map[string]part{}
	lines := bufio.NewScanner(bytes.NewReader(answer))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch key {
		case "dir":
			s.dir = value
		case "free":
			kibibytes, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("df said %q", value)
			}
			s.free = kibibytes << 10
		case "part":
			text, file, _ := strings.Cut(value, " ")
			size, err := strconv.ParseInt(text, 10, 64)
			_, sum, named := strings.Cut(strings.TrimSuffix(path.Base(file), ".part"), "-")
			if err == nil && named && path.Dir(path.Dir(file)) == stagingRoot {
				s.parts[sum] = part{file, size}
			}
		}
	}
	if path.Dir(s.dir) != stagingRoot || !strings.HasPrefix(path.Base(s.dir), "provision-") {
		s.dir = ""
		return errors.New("the host did not say where it is")
	}
	return nil
}

// remove removes the directory with all that is in it.
func (s *staging) remove(c *Client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return nil
	}
	dir := s.dir
	s.dir = ""
	return c.runAlone(Command{Name: "remove the uploads", Args: []string{"rm", "-rf", "--", dir}})
}

package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// checked fails the end of a content that is not what its sum says.
type checked struct {
	content io.ReadCloser
	name    string
	want    string
	sum     hash.Hash
}

func newChecked(content io.ReadCloser, name, want string) *checked {
	return &checked{content: content, name: name, want: want, sum: sha256.New()}
}

// Read hashes what it hands on.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.content.Read(p)
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(c.sum.Sum(nil)); got != c.want {
			return n, fmt.Errorf("artifact %s has the SHA-256 %s instead of %s: it was changed since its sum was written, or damaged", c.name, got, c.want)
		}
	}
	return n, err
}

// Close closes the content.
func (c *checked) Close() error { return c.content.Close() }

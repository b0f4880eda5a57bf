package remote

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// wire is the TCP connection under SSH. It counts what the host sends, by which keepalive knows that the host lives, and
// keeps the first bytes, by which a server that does not speak SSH can be shown.
type wire struct {
	net.Conn
	received atomic.Int64
	mu       sync.Mutex
	head     []byte // guarded by mu
}

const headSize = 128

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		if before := w.received.Add(int64(n)) - int64(n); before < headSize {
			w.mu.Lock()
			w.head = append(w.head, p[:min(n, headSize-len(w.head))]...)
			w.mu.Unlock()
		}
	}
	return n, err
}

// greeting returns what the host said first.
func (w *wire) greeting() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return printable(w.head)
}

// speaksSSH tells whether the host has sent the identification that RFC 4253 section 4.2 asks for.
func (w *wire) speaksSSH() bool {
	greeting := w.greeting()
	return strings.HasPrefix(greeting, "SSH-") || strings.Contains(greeting, "\nSSH-")
}

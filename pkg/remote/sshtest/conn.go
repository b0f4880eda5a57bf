package sshtest

import (
	"io"
	"net"
	"sync"
	"time"
)

// faultyConn is the server's end of a TCP connection, with faults.
type faultyConn struct {
	net.Conn
	latency   time.Duration
	dropAfter int64 // bytes to receive before the connection drops; 0 is never
	received  int64 // only Read uses it

	closeOnce sync.Once
	closed    chan struct{}
	frozen    chan struct{} // closed by freeze
	freezing  sync.Once
	delayed   chan packet
}

type packet struct {
	due  time.Time
	data []byte
}

func newFaultyConn(conn net.Conn, c config) *faultyConn {
	f := &faultyConn{
		Conn: conn, latency: c.latency, dropAfter: c.dropAfter,
		closed: make(chan struct{}), frozen: make(chan struct{}), delayed: make(chan packet, 1024),
	}
	if f.latency > 0 {
		go f.deliver()
	}
	return f
}

func (f *faultyConn) freeze() { f.freezing.Do(func() { close(f.frozen) }) }

// Close resets the connection.
func (f *faultyConn) Close() error {
	err := net.ErrClosed
	f.closeOnce.Do(func() {
		close(f.closed)
		err = f.Conn.Close()
	})
	return err
}

// Read implements net.Conn.
func (f *faultyConn) Read(p []byte) (int, error) {
	if f.dropAfter > 0 {
		if f.received >= f.dropAfter {
			_ = f.Close()
			return 0, net.ErrClosed
		}
		p = p[:min(int64(len(p)), f.dropAfter-f.received)]
	}
	n, err := f.Conn.Read(p)
	f.received += int64(n)
	select {
	case <-f.frozen:
		<-f.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

// Write implements net.Conn.
func (f *faultyConn) Write(p []byte) (int, error) {
	select {
	case <-f.frozen:
		<-f.closed
		return 0, net.ErrClosed
	default:
	}
	if f.latency == 0 {
		return f.Conn.Write(p)
	}
	select {
	case f.delayed <- packet{time.Now().Add(f.latency), append([]byte(nil), p...)}:
		return len(p), nil
	case <-f.closed:
		return 0, io.ErrClosedPipe
	}
}

// deliver writes delayed packets when they are due.
func (f *faultyConn) deliver() {
	for {
		select {
		case p := <-f.delayed:
			timer := time.NewTimer(time.Until(p.due))
			select {
			case <-timer.C:
			case <-f.closed:
				timer.Stop()
				return
			}
			if _, err := f.Conn.Write(p.data); err != nil {
				return
			}
		case <-f.closed:
			return
		}
	}
}

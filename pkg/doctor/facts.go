package doctor

import (
	"math"
	"net/netip"
	"time"
)

// Facts are what a host said of itself.
type Facts struct {
	// Noise is what was printed before the script had its say.
	Noise  string
	Clock  Clock
	Login  Login
	System System
	// MissingTools are the questions of which no program is there.
	MissingTools map[string]bool
	// Disks are by the path that was asked for.
	Disks map[string]Disk
	// Features tells by name how the kernel has it: loaded, built-in, loadable,
	// missing, unknown.
	Features  map[string]string
	Sockets   []Socket
	Processes map[int]Process
}

// Clock is a host's clock, beside this machine's.
type Clock struct {
	// Host is what it showed; the zero value if it could not be read.
	Host time.Time
	// Sent and Heard are this machine's times before and after it was read.
	Sent, Heard time.Time
}

// between sets when the clock was read, by this machine's clock.
func (c *Clock) between(sent, heard time.Time) { c.Sent, c.Heard = sent, heard }

// Skew is how far the clock is ahead of this machine's: the host's time against
// the middle of the round trip.
func (c Clock) Skew() time.Duration { return c.Host.Sub(c.Sent.Add(c.Heard.Sub(c.Sent) / 2)) }

// Certain is the part of the skew that the round trip can't explain.
func (c Clock) Certain() time.Duration {
	return time.Duration(math.Max(0, float64(c.Skew().Abs()-c.Heard.Sub(c.Sent)/2)))
}

// Login is who ran the script, and with what.
type Login struct {
	// User is who logged in, UID who the script ran as.
	User string
	UID  int
	// Shell is the login shell, Sh the file that /bin/sh is.
	Shell, Sh string
}

// System is the operating system.
type System struct {
	Architecture string
	// Linux is the kernel's release.
	Linux string
	// ID and Name are of /etc/os-release.
	ID, Name string
	// Init is the name of process 1, Systemd that systemd is running.
	Init    string
	Systemd bool
	Cgroup  int
	Swaps   []Swap
}

// Swap is one that is on.
type Swap struct {
	Name string
	Size int64 // bytes
}

// Disk is the file system that holds a path, or would.
type Disk struct {
	Mount    string
	Free     int64 // bytes
	Known    bool
	ReadOnly bool
}

// Socket is one that listens.
type Socket struct {
	Protocol string // tcp or udp
	Address  netip.AddrPort
	Inode    string
	// PIDs are the processes that have it open; the kernel's has none.
	PIDs []int
}

// Process is one that has a socket.
type Process struct {
	Name string
	// Unit is systemd's unit that it runs in, "" if none is known.
	Unit string
}

package sshtest

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
)

// Exec is a command that a client wants to run.
type Exec struct {
	Command        string // the line as it arrived, quoted by the client
	Path           string // the PATH to run it with; "" is that of this process
	User           string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Handler runs a command and returns its exit status. Its context ends when the client closes the channel or sends a
// signal.
type Handler func(ctx context.Context, exec Exec) int

// Option changes how a Server behaves; the faults among them are named for what goes wrong.
type Option func(*config)

type config struct {
	handler     Handler
	banner      string
	greeting    string
	latency     time.Duration
	dropAfter   int64
	refuseFirst int64
	password    string
	question    string
	answer      string
	authority   ssh.PublicKey
	path        string

	refuseAuth, dropInAuth, wrongHostKey, stallAfterAccept, stallExec, eofMidExec, noSFTP, noForwarding bool
}

// WithHandler makes handler run commands instead of /bin/sh.
func WithHandler(handler Handler) Option { return func(c *config) { c.handler = handler } }

// WithPassword lets every user log in with a password (RFC 4252 section 8).
func WithPassword(password string) Option { return func(c *config) { c.password = password } }

// WithQuestion lets every user log in who answers a question (RFC 4256).
func WithQuestion(question, answer string) Option {
	return func(c *config) { c.question, c.answer = question, answer }
}

// WithAuthority lets users log in with a certificate by authority.
func WithAuthority(authority ssh.PublicKey) Option {
	return func(c *config) { c.authority = authority }
}

// WithPath puts a folder before the others in which Shell looks for programs.
func WithPath(dir string) Option { return OnlyPath(dir + ":" + os.Getenv("PATH")) }

// OnlyPath is the PATH of Shell.
func OnlyPath(path string) Option { return func(c *config) { c.path = path } }

// WithLatency delays all that the server sends by d: a round trip takes d longer, the throughput stays.
func WithLatency(d time.Duration) Option { return func(c *config) { c.latency = d } }

// RefuseAuth refuses every key.
func RefuseAuth() Option { return func(c *config) { c.refuseAuth = true } }

// DropInAuth closes the connection when the client offers a key.
func DropInAuth() Option { return func(c *config) { c.dropInAuth = true } }

// WrongHostKey makes known_hosts name another host key than the server has.
func WrongHostKey() Option { return func(c *config) { c.wrongHostKey = true } }

// StallAfterAccept accepts TCP connections and says nothing.
func StallAfterAccept() Option { return func(c *config) { c.stallAfterAccept = true } }

// StallExec never answers the request to run a command.
func StallExec() Option { return func(c *config) { c.stallExec = true } }

// EOFMidExec closes the channel of a command after its output, without an exit status.
func EOFMidExec() Option { return func(c *config) { c.eofMidExec = true } }

// DropAfter closes each connection once it has received n bytes from the client.
func DropAfter(n int64) Option { return func(c *config) { c.dropAfter = n } }

// RefuseFirst closes the first n connections at once, as sshd does beyond MaxStartups.
func RefuseFirst(n int64) Option { return func(c *config) { c.refuseFirst = n } }

// GarbageBanner sends text instead of an SSH identification, as a server of another protocol does.
func GarbageBanner(text string) Option { return func(c *config) { c.banner = text } }

// NoSFTP refuses the SFTP subsystem.
func NoSFTP() Option { return func(c *config) { c.noSFTP = true } }

// NoisyShell prints text before SFTP starts, as a login shell with an unguarded .bashrc does.
func NoisyShell(text string) Option { return func(c *config) { c.greeting = text } }

// NoForwarding refuses tunnels, as sshd does with AllowTcpForwarding no.
func NoForwarding() Option { return func(c *config) { c.noForwarding = true } }

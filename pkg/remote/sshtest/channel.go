package sshtest

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// channel serves a channel that a client opens: a session (RFC 4254 section 6) or a tunnel (section 7.2).
func (s *Server) channel(user string, channel ssh.NewChannel) {
	switch channel.ChannelType() {
	case "session":
		s.session(user, channel)
	case "direct-tcpip":
		s.tcpTunnel(channel)
	case "direct-streamlocal@openssh.com":
		s.socketTunnel(channel)
	default:
		_ = channel.Reject(ssh.UnknownChannelType, "sshtest does not know it")
	}
}

func (s *Server) session(user string, channel ssh.NewChannel) {
	ch, requests, err := channel.Accept()
	if err != nil {
		return
	}
	defer ch.Close() //nolint:errcheck // the client may have closed it
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for request := range requests {
		var payload struct{ Value string }
		_ = ssh.Unmarshal(request.Payload, &payload)
		switch {
		case request.Type == "exec" && s.config.stallExec:
		case request.Type == "exec":
			s.mu.Lock()
			s.execs = append(s.execs, payload.Value)
			s.mu.Unlock()
			_ = request.Reply(true, nil)
			running.Go(func() { s.exec(ctx, ch, Exec{payload.Value, s.config.path, user, ch, ch, ch.Stderr()}) })
		case request.Type == "subsystem" && payload.Value == "sftp" && !s.config.noSFTP:
			_ = request.Reply(true, nil)
			running.Go(func() { s.sftp(ch) })
		case request.Type == "signal":
			cancel()
		case request.WantReply:
			_ = request.Reply(false, nil)
		}
	}
}

// exec runs a command and tells the client how it ended.
func (s *Server) exec(ctx context.Context, ch ssh.Channel, e Exec) {
	defer ch.Close() //nolint:errcheck // the client may have closed it
	status := s.config.handler(ctx, e)
	if s.config.eofMidExec {
		return
	}
	if status > signalBase {
		name := signalName(syscall.Signal(status - signalBase))
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal     string
			CoreDumped bool
			Message    string
			Language   string
		}{Signal: name}))
		return
	}
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)})) //nolint:gosec // 0 to 255
}

// signalBase plus the number of a signal is what a Handler returns when the command was killed by it.
const signalBase = 1000

// signalName is the name of a signal in RFC 4254 section 6.10.
func signalName(signal syscall.Signal) string {
	switch signal {
	case syscall.SIGKILL:
		return "KILL"
	case syscall.SIGSEGV:
		return "SEGV"
	default:
		return "TERM"
	}
}

// Killed is the status with which a Handler reports that signal ended the command.
func Killed(signal syscall.Signal) int { return signalBase + int(signal) }

// Shell is the default Handler: it runs the command with /bin/sh on this machine, and kills it with all its children
// when ctx ends.
func Shell(ctx context.Context, e Exec) int {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", e.Command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if e.Path != "" {
		cmd.Env = append(os.Environ(), "PATH="+e.Path)
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stdout, cmd.Stderr = e.Stdout, e.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return exitCannotRun
	}
	if err := cmd.Start(); err != nil {
		return exitCannotRun
	}
	go func() { // ends with the channel, at the latest
		_, _ = io.Copy(stdin, e.Stdin)
		_ = stdin.Close()
	}()
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return exitCannotRun
	case status.Signaled():
		return Killed(status.Signal())
	default:
		return status.ExitStatus()
	}
}

const exitCannotRun = 126

func (s *Server) sftp(ch ssh.Channel) {
	defer ch.Close() //nolint:errcheck // the client may have closed it
	_, _ = io.WriteString(ch, s.config.greeting)
	server, err := sftp.NewServer(ch)
	if err != nil {
		return
	}
	_ = server.Serve()
}

func (s *Server) tcpTunnel(channel ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(channel.ExtraData(), &to); err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	s.tunnel(channel, "tcp", net.JoinHostPort(to.Host, strconv.FormatUint(uint64(to.Port), 10)))
}

// socketTunnel serves OpenSSH's extension, PROTOCOL section 2.4.
func (s *Server) socketTunnel(channel ssh.NewChannel) {
	var to struct {
		Path      string
		Reserved1 string
		Reserved2 uint32
	}
	if err := ssh.Unmarshal(channel.ExtraData(), &to); err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	s.tunnel(channel, "unix", to.Path)
}

func (s *Server) tunnel(channel ssh.NewChannel, network, address string) {
	if s.config.noForwarding {
		_ = channel.Reject(ssh.Prohibited, "open failed")
		return
	}
	s.mu.Lock()
	s.tunnels++
	s.mu.Unlock()
	var dialer net.Dialer
	conn, err := dialer.DialContext(context.Background(), network, address)
	if err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer conn.Close()
	ch, requests, err := channel.Accept()
	if err != nil {
		return
	}
	defer ch.Close() //nolint:errcheck // the client may have closed it
	s.work.Go(func() {
		ssh.DiscardRequests(requests) // until the channel is closed
		_ = conn.Close()
	})
	var upstream sync.WaitGroup
	upstream.Go(func() {
		_, _ = io.Copy(conn, ch)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	_, _ = io.Copy(ch, conn)
	_ = ch.CloseWrite()
	upstream.Wait()
}

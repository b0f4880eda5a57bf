package remote

import (
	"context"
	"strconv"
	"time"
)

const (
	// terminateTimeout bounds the ending of a command: two seconds on the host, and the way there.
	terminateTimeout = 4 * time.Second
	// beginTimeout is how long the host has to tell the process of a command that it has just been sent.
	beginTimeout = 500 * time.Millisecond
)

// terminate ends a command that is not wanted any more, with all that it started, and tells whether it could try: sshd
// passes signals on only for logins other than root, and to one process, whose children would live on. Where the
// connection is lost, what runs on the host has to notice that for itself.
func (c *Client) terminate(cmd Command, start *start) bool {
	c.terminating.Add(1)
	defer c.terminating.Done()
	select {
	case <-start.begun:
	case <-start.ended:
		return true
	case <-c.done:
		return false
	case <-time.After(beginTimeout):
	}
	id := start.processID()
	if id == 0 {
		return false
	}
	kill := Command{Args: []string{"sh", "-c", code(terminateScript), "provision", strconv.Itoa(id)}, Privileged: cmd.Privileged}
	password := ""
	if kill.needsRoot(c.login.User) {
		password, _, _ = c.secrets.look(c.sudoSecret())
	}
	line, err := kill.line(c.login.User, password != "")
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), terminateTimeout)
		defer cancel()
		err = c.exec(ctx, line, newProcess(kill, c.login.User, password), func() bool { return false })
	}
	c.log.Debug("ssh terminate", "command", cmd.String(), "process", id, "error", err)
	return err == nil
}

package remote

import (
	"fmt"
	"strings"
)

// needsSudo tells whether the command must be run with sudo to run as root.
func (c Command) needsSudo(user string) bool {
	return c.Privileged && user != defaultUser
}

// exitNotFound is the status with which a shell says that there is no such program.
const exitNotFound = 127

// sudoHint explains the failure of a command run with `sudo -n`, if sudo was what failed. It knows sudo's English
// messages; others are left to speak for themselves.
func sudoHint(user string, status int, stderr string) string {
	says := func(text string) bool { return strings.Contains(stderr, text) }
	switch {
	case status == exitNotFound && says("sudo"):
		return "sudo is not installed on the host: install it, or log in as root"
	case status != 1 || !says("sudo") && !says(user):
		return ""
	case says("a password is required"), says("no tty present"), says("a terminal is required"):
		return fmt.Sprintf("sudo wants a password of %s: allow it without, with the line `%s ALL=(ALL) NOPASSWD: ALL` in a file in /etc/sudoers.d, or log in as root", user, user)
	case says("must have a tty"):
		return fmt.Sprintf("sudo wants a terminal: add the line `Defaults:%s !requiretty` in a file in /etc/sudoers.d, or log in as root", user)
	case says("is not in the sudoers file"), says("is not allowed to"), says("may not run sudo"):
		return fmt.Sprintf("%s may not use sudo: add the line `%s ALL=(ALL) NOPASSWD: ALL` in a file in /etc/sudoers.d, or log in as root", user, user)
	default:
		return ""
	}
}

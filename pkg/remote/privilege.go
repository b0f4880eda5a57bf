package remote

import (
	_ "embed"
	"fmt"
	"strings"
)

// The scripts stand in the command line as one quoted argument each; what varies is arguments of theirs.
var (
	//go:embed wrapper.sh
	wrapperScript string
	//go:embed become.sh
	becomeScript string
	//go:embed terminate.sh
	terminateScript string
)

// What the host says on standard error before a command runs. sudo's question is ours, so that it is told from what a
// command writes.
const (
	beginMark  = "provision-begins"
	sudoPrompt = "provision-asks-for-the-sudo-password:"
)

// needsRoot tells whether the command must become root first.
func (c Command) needsRoot(user string) bool {
	return c.Privileged && user != defaultUser
}

// wrapped returns the arguments of the line that runs a command: as root where it must be, with sudo's password if that is
// to be given.
func (c Command) wrapped(user string, withPassword bool) []string {
	args := append([]string{"sh", "-c", code(wrapperScript), "provision", beginMark}, c.Args...)
	if !c.needsRoot(user) {
		return args
	}
	prompt := ""
	if withPassword {
		prompt = sudoPrompt
	}
	return append([]string{"sh", "-c", code(becomeScript), "provision", prompt}, args...)
}

// code is a script without its comments, which need not travel.
func code(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exitNotFound is the status with which a shell says that there is no such program.
const exitNotFound = 127

// wantsPassword tells whether sudo refused to run a command without a password. It knows the English messages of sudo and
// of sudo-rs.
func wantsPassword(stderr string) bool {
	if !strings.Contains(stderr, "sudo") {
		return false
	}
	for _, says := range []string{"a password is required", "authentication is required", "Interaction is required", "interaction is required"} {
		if strings.Contains(stderr, says) {
			return true
		}
	}
	return false
}

// sudoHint explains the failure of a command that never began, if sudo or doas was what failed. It knows their English
// messages; others are left to speak for themselves.
func sudoHint(user string, status int, stderr string) string {
	says := func(text string) bool { return strings.Contains(stderr, text) }
	nopasswd := fmt.Sprintf("the line `%s ALL=(ALL) NOPASSWD: ALL` in a file in /etc/sudoers.d, or log in as root", user)
	switch {
	case status == exitNotFound && (says("sudo") || says("doas")):
		return "sudo is not installed on the host: install it or doas, or log in as root"
	case status != 1:
		return ""
	case says("incorrect password"), says("no password was provided"):
		return fmt.Sprintf("sudo refused the password of %s", user)
	case wantsPassword(stderr), says("no tty present"), says("a terminal is required"):
		return fmt.Sprintf("sudo wants a password of %s: give it when provision asks on a terminal or in PROVISION_SUDO_PASSWORD, or allow it without, with %s", user, nopasswd)
	case says("must have a tty"):
		return fmt.Sprintf("sudo wants a terminal: add the line `Defaults:%s !requiretty` in a file in /etc/sudoers.d, or log in as root", user)
	case says("is not in the sudoers file"), says("is not allowed to"), says("may not run sudo"):
		return fmt.Sprintf("%s may not use sudo: add %s", user, nopasswd)
	case says("doas: "):
		return fmt.Sprintf("doas does not let %s: add the line `permit nopass %s` to /etc/doas.conf, or log in as root", user, user)
	default:
		return ""
	}
}

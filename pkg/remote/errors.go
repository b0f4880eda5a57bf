package remote

import (
	"fmt"
	"net"
	"strings"
	"unicode"
)

// CommandError says that a command on a host did not end with status 0: it failed, was killed, or the connection or the
// context ended first.
type CommandError struct {
	Host    string // Target.Name
	Command string // as shown to people: shortened, without stdin
	Status  int    // exit status, or -1 when the host reported none
	Signal  string // name of the signal that ended it, without SIG, as in RFC 4254 section 6.10; else ""
	Stdout  string // the last lines it wrote, free of control characters
	Stderr  string
	Hint    string // what to do next, when that is known
	Err     error  // why there is no exit status: context.Canceled, a lost connection …
}

// Error names host, command, outcome, the last lines of output and the next step.
func (e *CommandError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: command `%s` ", e.Host, e.Command)
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, "did not finish: %v", e.Err)
	case e.Signal != "":
		fmt.Fprintf(&b, "was killed by signal %s", e.Signal)
	default:
		fmt.Fprintf(&b, "failed with exit status %d", e.Status)
	}
	output := e.Stderr
	if output == "" {
		output = e.Stdout
	}
	if output != "" {
		b.WriteString(":\n    " + strings.ReplaceAll(output, "\n", "\n    "))
	}
	if e.Hint != "" {
		b.WriteString("\n  " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the reason for a missing exit status.
func (e *CommandError) Unwrap() error { return e.Err }

// AuthError says that a host refused every way to log in.
type AuthError struct {
	User    string   // the login
	Offered []string // what was tried: origin, type and fingerprint of each key, where a password came from
	Skipped []string // what was not, and why: no agent, a file that does not exist, nobody to ask for a password
	Accepts []string // the methods of RFC 4252 that the host allows, such as "publickey", as far as it said
	Err     error    // what the protocol said
}

// Error lists what was offered, what was not and why, and the next step.
func (e *AuthError) Error() string {
	var b strings.Builder
	if len(e.Offered) == 0 {
		fmt.Fprintf(&b, "there is nothing to log in with as %s", e.User)
	} else {
		fmt.Fprintf(&b, "the host refused the login of %s", e.User)
	}
	list(&b, "offered", e.Offered)
	list(&b, "not offered", e.Skipped)
	if len(e.Accepts) > 0 {
		fmt.Fprintf(&b, "\n  the host accepts: %s", strings.Join(e.Accepts, ", "))
	}
	switch {
	case len(e.Offered) > maxOffered:
		b.WriteString("\n  sshd gives up after a few keys (MaxAuthTries): name the right one as identity file")
	case len(e.Offered) == 0:
		b.WriteString("\n  name an identity file, load a key into an agent (ssh-add), or give a password")
		return b.String()
	}
	fmt.Fprintf(&b, "\n  add one of these keys to ~/.ssh/authorized_keys of %s on the host, or name another identity file", e.User)
	return b.String()
}

// Unwrap returns what the protocol said.
func (e *AuthError) Unwrap() error { return e.Err }

// maxOffered is the number of keys that sshd looks at for certain: MaxAuthTries is 6 and "none" counts as one.
const maxOffered = 5

func list(b *strings.Builder, title string, items []string) {
	for _, item := range items {
		fmt.Fprintf(b, "\n  %s: %s", title, item)
	}
}

// KnownKey is a key that known_hosts has for a host.
type KnownKey struct {
	Type        string // as in the file: ssh-ed25519 …
	Fingerprint string // SHA256:…
	File        string
	Line        int // from 1
}

// HostKeyError says that the key a host showed is not the one it is known by: unknown, changed, revoked or badly certified.
type HostKeyError struct {
	Address     string // host:port
	File        string // the known_hosts file that the operator owns
	Missing     bool   // File does not exist
	Type        string // of the key that the host showed
	Fingerprint string // SHA256:… of that key
	Known       []KnownKey
	Pinned      []Pin     // the keys that the inventory names, of which this is none
	Revoked     *KnownKey // the @revoked line that names the shown key
	Unread      []string  // lines of known_hosts, as file:line, that could not be read
	Err         error     // what is wrong with the certificate
}

// Error tells the fingerprints, where the known one is written and what to do about it.
func (e *HostKeyError) Error() string {
	shown := fmt.Sprintf("the host at %s showed the key %s %s", e.Address, e.Type, e.Fingerprint)
	switch {
	case e.Revoked != nil:
		return fmt.Sprintf("%s, which %s:%d marks as @revoked: do not connect; give the host a new key (ssh-keygen -A) and record it",
			shown, e.Revoked.File, e.Revoked.Line)
	case e.Err != nil:
		return fmt.Sprintf("%s, whose certificate is not valid: %v", shown, e.Err)
	case len(e.Pinned) > 0:
		return e.unpinned(shown)
	case len(e.Known) > 0:
		return e.changed(shown)
	}
	return e.unknown(shown)
}

func (e *HostKeyError) unknown(shown string) string {
	why := e.File + " has no key for it"
	if e.Missing {
		why = "the known_hosts file " + e.File + " does not exist"
	}
	if len(e.Unread) > 0 {
		why += fmt.Sprintf(" (%s can't be read)", strings.Join(e.Unread, ", "))
	}
	return fmt.Sprintf("%s, but %s\n  compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub` says on the host; if it is the same, trust it with\n  %s\n  or write it into the inventory, which `provision hostkeys scan` helps with",
		shown, why, keyscanType(e.Type), e.trustCommand())
}

func (e *HostKeyError) unpinned(shown string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, but the inventory says", shown)
	for _, pin := range e.Pinned {
		fmt.Fprintf(&b, "\n  %s", pin)
	}
	b.WriteString("\n  someone may be listening in; if the host was reinstalled, write its new key under hostKeys (`provision hostkeys scan` shows it)")
	return b.String()
}

func (e *HostKeyError) changed(shown string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, but it is known by another", shown)
	for _, known := range e.Known {
		fmt.Fprintf(&b, "\n  %s:%d has %s %s", known.File, known.Line, known.Type, known.Fingerprint)
	}
	fmt.Fprintf(&b, "\n  someone may be listening in; if the host was reinstalled, forget its old keys and trust the new one with\n  ssh-keygen -f %s -R %s && %s",
		quoteForPeople(e.File), quoteForPeople(knownName(e.Address)), e.trustCommand())
	return b.String()
}

func (e *HostKeyError) trustCommand() string {
	host, port, _ := net.SplitHostPort(e.Address)
	return fmt.Sprintf("ssh-keyscan -t %s -p %s %s >> %s", keyscanType(e.Type), port, quoteForPeople(host), quoteForPeople(e.File))
}

// Unwrap returns what is wrong with the certificate, if that is the reason.
func (e *HostKeyError) Unwrap() error { return e.Err }

// keyscanType is the name that ssh-keyscan and the files in /etc/ssh have for a key type.
func keyscanType(keyType string) string {
	switch {
	case strings.HasPrefix(keyType, "ecdsa-"):
		return "ecdsa"
	case strings.HasPrefix(keyType, "ssh-rsa"), strings.HasPrefix(keyType, "rsa-"):
		return "rsa"
	default:
		return "ed25519"
	}
}

// quoteForPeople quotes a word of a command that is shown, not run.
func quoteForPeople(arg string) string {
	quoted, err := Quote(arg)
	if err != nil {
		return fmt.Sprintf("%q", arg)
	}
	return quoted
}

// printable returns text from a host fit for a terminal: control characters, which could move the cursor or retitle the
// window, become spaces; surrounding blank lines go.
func printable(text []byte) string {
	clean := strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(string(text), "?"))
	lines := strings.Split(clean, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

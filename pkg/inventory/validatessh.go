package inventory

import (
	"regexp"
	"strings"
	"time"
)

// checkSSH reports settings of ssh; those that are not given are empty.
func (c checker) checkSSH(path string, ssh SSH) {
	if ssh.User != "" {
		c.checkText(path+".user", ssh.User, isUserName,
			"is not a user name", "write letters, digits and . _ -, at most 32, not beginning with -")
	}
	c.checkDuration(path+".connectTimeout", ssh.ConnectTimeout, 10*time.Minute, "above 0s and up to 10m, such as 10s")
	c.checkDuration(path+".commandTimeout", ssh.CommandTimeout, 24*time.Hour, "above 0s and up to 24h, such as 30m")
	c.checkDuration(path+".keepAlive", ssh.KeepAlive, time.Hour, "above 0s and up to 1h, such as 5s")
	for i, key := range ssh.HostKeys {
		c.checkText(item(path+".hostKeys", i), key, hostKeyPattern.MatchString,
			"is not a key type and a fingerprint", "write them as `provision hostkeys scan` shows them, such as ssh-ed25519 SHA256:…")
	}
	if ssh.Jump != "" && ssh.Jump != "none" {
		for _, jump := range strings.Split(ssh.Jump, ",") {
			c.checkText(path+".jump", jump, jumpPattern.MatchString,
				"is not [USER@]HOST[:PORT]", "write hosts separated by commas, such as ops@bastion.example.com:22, or none")
		}
	}
}

// hostKeyPattern is what remote.ParsePin reads, jumpPattern what
// remote.ParseJump reads: this package imports no other.
var (
	hostKeyPattern = regexp.MustCompile(`^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) SHA256:[A-Za-z0-9+/]{43}$`)
	jumpPattern    = regexp.MustCompile(`^\s*(ssh://)?([A-Za-z0-9._][A-Za-z0-9._-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?\s*$`)
)

func (c checker) checkDuration(path string, d, longest time.Duration, hint string) {
	if d < 0 || d > longest || (d == 0 && c.given(path)) {
		c.refuse(path, "write one "+hint, "%s is no useful timeout", d)
	}
}

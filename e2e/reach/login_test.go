//go:build lab

package reach

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sshd puts settings before those of the node's sshd, for the time of a test.
func sshd(t *testing.T, settings string) {
	t.Helper()
	restored(t, "node",
		fmt.Sprintf("printf '%%s\\n' '%s' >/etc/ssh/sshd_config.d/01-test.conf && systemctl reload ssh", settings),
		"rm /etc/ssh/sshd_config.d/01-test.conf && systemctl reload ssh")
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
	}
}

// authorized makes a key that may log in to the node as root for the time of a
// test.
func authorized(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	keygen(t, append(args, "-f", file)...)
	public, err := exec.Command("cat", file+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	restored(t, "node", "cp -p /root/.ssh/authorized_keys /root/.ssh/before && echo '"+strings.TrimSpace(string(public))+"' >>/root/.ssh/authorized_keys",
		"mv /root/.ssh/before /root/.ssh/authorized_keys")
	return file
}

func TestLogin_KeyFiles(t *testing.T) {
	for name, args := range map[string][]string{
		"ed25519": {"-t", "ed25519", "-N", ""}, "ecdsa": {"-t", "ecdsa", "-N", ""}, "rsa": {"-t", "rsa", "-N", ""}, "old PEM": {"-t", "rsa", "-m", "PEM", "-N", ""},
	} {
		t.Run(name, func(t *testing.T) {
			newOperator(t, "identityFile: "+authorized(t, args...)).must(2, []string{"plan"})
		})
	}
}

func TestLogin_Passphrase(t *testing.T) {
	o := newOperator(t, "identityFile: "+authorized(t, "-t", "ed25519", "-N", "open sesame"))
	o.must(3, []string{"plan"}, "protected by a passphrase", "PROVISION_SSH_PASSPHRASE", "ssh-add")
	o.env = []string{"PROVISION_SSH_PASSPHRASE=wrong"}
	o.must(3, []string{"plan"}, "the passphrase does not open it")
	o.env = []string{"PROVISION_SSH_PASSPHRASE=open sesame"}
	o.must(2, []string{"plan"})
}

func TestLogin_Agent(t *testing.T) {
	key := authorized(t, "-t", "ed25519", "-N", "")
	socket := filepath.Join(t.TempDir(), "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	add := func() error {
		command := exec.Command("ssh-add", "-q", key)
		command.Env = []string{"SSH_AUTH_SOCK=" + socket}
		return command.Run()
	}
	for add() != nil { // until it listens
		if t.Context().Err() != nil {
			t.Fatal("no agent")
		}
	}
	o := newOperator(t, "identityFile: ''")
	o.must(3, []string{"plan"}, "there is nothing to log in with", "SSH_AUTH_SOCK")
	o.env = []string{"SSH_AUTH_SOCK=" + socket}
	o.must(2, []string{"plan"})
}

func TestLogin_Certificate(t *testing.T) {
	dir := t.TempDir()
	authority, key := filepath.Join(dir, "ca"), filepath.Join(dir, "key")
	keygen(t, "-t", "ed25519", "-N", "", "-f", authority)
	keygen(t, "-t", "ecdsa", "-N", "", "-f", key)
	public, err := exec.Command("cat", authority+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	restored(t, "node", "echo '"+strings.TrimSpace(string(public))+"' >/etc/ssh/test-ca.pub", "rm /etc/ssh/test-ca.pub")
	sshd(t, "TrustedUserCAKeys /etc/ssh/test-ca.pub")
	o := newOperator(t, "identityFile: "+key)
	o.must(3, []string{"plan"}, "the host refused the login of root", key)
	keygen(t, "-s", authority, "-I", "test", "-n", "root", "-V", "+1h", key+".pub")
	o.must(2, []string{"plan"})
}

func TestLogin_PasswordAndQuestions(t *testing.T) {
	for method, settings := range map[string]string{
		"password":             "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nPubkeyAuthentication no",
		"keyboard-interactive": "PasswordAuthentication no\nKbdInteractiveAuthentication yes\nPubkeyAuthentication no",
	} {
		t.Run(method, func(t *testing.T) {
			account(t, "NOPASSWD:")
			sshd(t, settings)
			o := newOperator(t, "user: person")
			o.must(3, []string{"plan"}, "there is nobody to ask", "PROVISION_SSH_PASSWORD is not set", "the host accepts: "+method)
			o.env = []string{"PROVISION_SSH_PASSWORD=wrong"}
			if r := o.must(3, []string{"plan"}, "offered: "+method+" of person"); strings.Contains(r.output, "wrong") {
				t.Errorf("the password is shown:\n%s", r.output)
			}
			o.env = []string{"PROVISION_SSH_PASSWORD=it's $(me)"}
			o.must(2, []string{"plan"})
		})
	}
}

// account makes a user of the node, person, with a password and a line in
// sudoers, for the time of a test.
func account(t *testing.T, sudo string) {
	t.Helper()
	const name = "person"
	restored(t, "node", fmt.Sprintf(`useradd --create-home --shell /bin/bash %[1]s && printf '%%s\n' "%[1]s:it's \$(me)" | chpasswd &&
		install -d -m 700 -o %[1]s /home/%[1]s/.ssh && install -m 600 -o %[1]s /root/.ssh/authorized_keys /home/%[1]s/.ssh/ &&
		echo '%[1]s ALL=(ALL) %[2]s ALL' >/etc/sudoers.d/%[1]s`, name, sudo),
		fmt.Sprintf("loginctl terminate-user %[1]s 2>/dev/null; pkill -KILL -u %[1]s; userdel --force --remove %[1]s 2>/dev/null; rm -f /etc/sudoers.d/%[1]s", name))
}

func TestPrivilege_SudoWithPassword(t *testing.T) {
	account(t, "")
	o := newOperator(t, "user: person")
	o.must(3, []string{"plan"}, "sudo wants a password of person", "PROVISION_SUDO_PASSWORD")
	o.env = []string{"PROVISION_SUDO_PASSWORD=wrong"}
	o.must(3, []string{"plan"}, "sudo refused the password of person")
	o.env = []string{"PROVISION_SUDO_PASSWORD=it's $(me)"}
	o.converges()
	if got := on(t, "node", "stat -c '%U %a' /etc/reach/args /opt/reach/large; ls -A /var/tmp | grep provision || true"); got != "root 644\nroot 755\n" {
		t.Errorf("on the host:\n%s", got)
	}
	if out := on(t, "node", "grep -r 'me)' /var/log /proc/[0-9]*/cmdline 2>/dev/null | head -n 3 || true"); strings.Contains(out, "it's $(me)") {
		t.Errorf("the password is somewhere on the host:\n%s", out)
	}
}

func TestPrivilege_Doas(t *testing.T) {
	installed(t, "gate1", "doas", "opendoas")
	restored(t, "gate1", `useradd --create-home --shell /bin/sh person && install -d -m 700 -o person /home/person/.ssh &&
		install -m 600 -o person /root/.ssh/authorized_keys /home/person/.ssh/`, "pkill -KILL -u person; userdel --remove person; rm -f /etc/doas.conf")
	o := newOperator(t, "")
	o.write("gate1", "user: person", "")
	o.must(3, []string{"plan"}, "/etc/doas.conf", "permit nopass person")
	on(t, "gate1", "echo 'permit nopass person' >/etc/doas.conf")
	o.converges()
	if got := on(t, "gate1", "stat -c %U /etc/reach/args"); got != "root\n" {
		t.Errorf("the file is %s's", got)
	}
}

// installed installs a program's package on a host that lacks it.
func installed(t *testing.T, name, program, pkg string) {
	t.Helper()
	on(t, name, fmt.Sprintf(`export DEBIAN_FRONTEND=noninteractive
		command -v %[1]s || apt-get -q -y install %[2]s || { apt-get -q update && apt-get -q -y install %[2]s; } && command -v %[1]s`, program, pkg))
}

// The login shell is the user's choice; the scripts run under sh.
func TestShell_LoginShells(t *testing.T) {
	account(t, "NOPASSWD:")
	installed(t, "node", "busybox", "busybox-static")
	on(t, "node", "ln -sf $(command -v busybox) /bin/ash")
	for _, shell := range []string{"/bin/dash", "/bin/bash", "/bin/ash"} {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			on(t, "node", "usermod --shell "+shell+" person")
			newOperator(t, "user: person").converges()
		})
	}
}

// A login shell that talks breaks SFTP; files arrive all the same.
func TestShell_NoisyAndWithoutSFTP(t *testing.T) {
	restored(t, "node", `printf 'echo "Welcome $(touch /tmp/x)"; echo "warning" >&2\n' >/root/.bashrc`, "rm /root/.bashrc")
	restored(t, "node", "cd /etc/ssh && cp -p sshd_config before && sed -i /Subsystem/d sshd_config && systemctl reload ssh",
		"cd /etc/ssh && mv before sshd_config && systemctl reload ssh")
	newOperator(t, "").converges()
	if got := on(t, "node", "sha256sum /opt/reach/large | cut -c 1-64; ls -A /var/tmp | grep provision || true"); got != sumOf(t, files)+"\n" {
		t.Errorf("on the host:\n%s", got)
	}
}

func sumOf(t *testing.T, artifacts string) string {
	t.Helper()
	out, err := exec.Command("sha256sum", filepath.Join(artifacts, "large")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:64])
}

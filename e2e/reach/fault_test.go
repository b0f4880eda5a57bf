//go:build lab

package reach

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// running is a provision that a test disturbs.
type running struct {
	o       *operator
	command *exec.Cmd
	output  bytes.Buffer
}

func (o *operator) start(args ...string) *running {
	o.t.Helper()
	r := &running{o: o, command: o.command(context.WithoutCancel(o.t.Context()), args...)}
	r.command.Stdout, r.command.Stderr = &r.output, &r.output
	if err := r.command.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = r.command.Process.Kill() })
	return r
}

// ends waits for the end and checks the code and what was said.
func (r *running) ends(code int, says ...string) {
	r.o.t.Helper()
	_ = r.command.Wait()
	if got := r.command.ProcessState.ExitCode(); got != code {
		r.o.t.Errorf("it ended with %d, want %d:\n%s", got, code, &r.output)
	}
	for _, text := range says {
		if !strings.Contains(r.output.String(), text) {
			r.o.t.Errorf("it does not say %q:\n%s", text, &r.output)
		}
	}
}

const (
	impatient = "connectTimeout: 3s, keepAlive: 500ms"
	uploading = "test -s /var/tmp/provision-*/*.part"
	// nothingHalf is what holds at any time: files are as wanted or not there.
	nothingHalf = "test ! -e /opt/reach/large && test ! -e /etc/reach/args"
)

func TestFault_HostFrozenInMidTransfer(t *testing.T) {
	o := newOperator(t, impatient)
	o.uploadsLong()
	run := o.start(apply()...)
	until(t, uploading)
	frozen := host(t, "node")
	t.Cleanup(func() { _ = frozen.Thaw(context.Background()) })
	if err := frozen.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	run.ends(3, "node", "upload", "the host has not answered for 1.5s")
	o.must(3, []string{"plan"}, "node", "frozen, overloaded or no sshd")
	if err := frozen.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	on(t, "node", nothingHalf)
	o.goesOn()
}

func TestFault_LinkCutInMidTransfer(t *testing.T) {
	o := newOperator(t, impatient)
	o.uploadsLong()
	run := o.start(apply()...)
	until(t, uploading)
	cut(t)
	run.ends(3, "upload", "the host has not answered for 1.5s")
	o.must(3, []string{"plan"}, "node", "within 3s")
	heal(t)
	on(t, "node", nothingHalf)
	o.goesOn()
}

func TestFault_LinkCutInMidApply(t *testing.T) {
	o := newOperator(t, impatient)
	on(t, "node", "mkdir -p /run/reach && touch /run/reach/hold")
	run := o.start(apply()...)
	until(t, "test -e /run/reach/begun")
	cut(t)
	run.ends(3, "stage held", "the host has not answered for 1.5s")
	heal(t)
	on(t, "node", "rm -f /run/reach/hold")
	o.converges()
}

// uploadsLong gives an operator something to upload that takes long enough for a
// test to step in.
func (o *operator) uploadsLong() {
	o.t.Helper()
	o.artifacts = filepath.Join(o.home, "artifacts")
	if err := writeArtifacts(o.artifacts, 400<<20); err != nil {
		o.t.Fatal(err)
	}
	o.write("node", impatient, "")
}

func cut(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { heal(t) })
	if err := host(t, "node").Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func heal(t *testing.T) {
	t.Helper()
	if err := host(t, "node").Heal(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// goesOn applies again: the upload goes on where it ended.
func (o *operator) goesOn() {
	o.t.Helper()
	until(o.t, "! pgrep sftp-server")                                      // what it had been sent is written
	on(o.t, "node", "touch -d '1 minute ago' /var/tmp/provision-*/*.part") // a younger one may be in use
	r := o.must(0, append(apply(), "--debug"))
	if !strings.Contains(r.output, "resumed=") || strings.Contains(r.output, "resumed=0") {
		o.t.Errorf("the upload began anew:\n%s", r.output)
	}
	o.must(0, []string{"plan"})
	if got := on(o.t, "node", "sha256sum /opt/reach/large | cut -c 1-64; ls -A /var/tmp | grep provision || true"); got != sumOf(o.t, o.artifacts)+"\n" {
		o.t.Errorf("on the host:\n%s", got)
	}
}

func TestFault_DiskFull(t *testing.T) {
	for name, c := range map[string]struct{ mount, want string }{
		"where uploads go":      {"mount -t tmpfs -o size=16m none /var/tmp", "there is no room: /var/tmp is to get"},
		"where files go":        {"mkdir -p /etc/reach && mount -t tmpfs -o size=4k none /etc/reach && { cat /dev/zero >/etc/reach/fill 2>/dev/null || true; }", "No space left on device"},
		"where programs go":     {"mkdir -p /opt/reach && mount -t tmpfs -o size=16m none /opt/reach", "No space left on device"},
		"where the record goes": {"mkdir -p /var/lib/provision && mount -t tmpfs -o size=4k none /var/lib/provision && { cat /dev/zero >/var/lib/provision/fill 2>/dev/null || true; }", "there is no room in /var/lib/provision"},
	} {
		t.Run(name, func(t *testing.T) {
			const unmount = "umount /var/tmp /etc/reach /opt/reach /var/lib/provision 2>/dev/null || true"
			o := newOperator(t, "")
			restored(t, "node", c.mount, unmount)
			o.must(3, apply(), "node", c.want)
			on(t, "node", unmount)
			on(t, "node", "test ! -e /opt/reach/large; ls -A /var/tmp | grep provision && exit 1 || true")
			o.converges()
		})
	}
}

func TestFault_ReadOnly(t *testing.T) {
	for name, c := range map[string]struct{ now, then, want string }{
		"one folder": {"mkdir -p /etc/reach && mount -t tmpfs -o ro none /etc/reach", "umount /etc/reach 2>/dev/null || true", "file /etc/reach/args"},
		// Programs that run keep a real root writable; what is opened from now on finds this.
		"the root": {
			"for d in etc opt usr var; do mount --bind /$d /$d && mount -o remount,ro,bind /$d; done",
			"for d in etc opt usr var; do umount --lazy /$d 2>/dev/null || true; done; touch /etc/x /opt/x /usr/x /var/x; rm /etc/x /opt/x /usr/x /var/x", "make a directory for uploads",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, "")
			restored(t, "node", c.now, c.then)
			o.must(3, apply(), "node", c.want, "Read-only file system")
			on(t, "node", c.then+"; test ! -e /opt/reach/large")
			o.converges()
		})
	}
}

// Ctrl-C ends the work on the host too, also root's and what sudo runs, and
// leaves nothing there.
func TestInterrupt_EndsTheWorkOnTheHost(t *testing.T) {
	for name, sudo := range map[string]string{"root": "", "sudo": "NOPASSWD:", "sudo with a password": "PASSWD:"} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, "")
			if sudo != "" {
				account(t, sudo)
				o.write("node", "user: person", "")
				o.env = []string{"PROVISION_SUDO_PASSWORD=it's $(me)"}
			}
			on(t, "node", "mkdir -p /run/reach && touch /run/reach/hold")
			run := o.start(apply()...)
			until(t, "test -e /run/reach/begun")
			if err := run.command.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			run.ends(130, "interrupted")
			until(t, "! pgrep -f '[r]each/hold' && ! pgrep -x sudo && ! pgrep -u person")
			if out := on(t, "node", "ls -A /var/tmp | grep provision || true"); out != "" {
				t.Errorf("left on the host:\n%s", out)
			}
			on(t, "node", "rm /run/reach/hold")
			o.converges()
		})
	}
}

// A host that never answers a command is given up in time.
func TestTimeout_CommandOnTheHost(t *testing.T) {
	o := newOperator(t, "commandTimeout: 3s")
	on(t, "node", "mkdir -p /run/reach && touch /run/reach/hold")
	o.must(3, apply(), "node", "did not end within 3s")
	until(t, "! pgrep -f '[r]each/hold'")
	on(t, "node", "rm /run/reach/hold")
	o.converges()
}

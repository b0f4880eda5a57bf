//go:build lab

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/e2e/lab/nspawn"
)

// killed are the figures of the kill test.
type killed struct {
	kills, midway, powerOffs, cuts, converged, torn, staleLocks int
}

// killSite is a lab of four hosts, each with the files of a small template set.
type killSite struct {
	site

	t     *testing.T
	files string // the artifacts
	// took is how long a run takes that is let alone.
	took time.Duration
}

// killable are the managed files.
func killable() []string {
	return []string{"/etc/kill/a", "/etc/kill/b", "/etc/kill/c", "/etc/kill/d", "/opt/kill/program"}
}

func newKillSite(t *testing.T) *killSite {
	t.Helper()
	lab, err := nspawn.Up(t.Context(), nspawn.Options{
		Name:  fmt.Sprintf("kill-%d", os.Getpid()),
		Hosts: []nspawn.HostSpec{{Name: "master"}, {Name: "slave1"}, {Name: "slave2"}, {Name: "registry"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Down(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	return &killSite{t: t, files: dir, site: site{lab: lab, binary: shared.binary, inventory: filepath.Join(dir, "inventory.yaml")}}
}

// version writes an inventory and a program of a version.
func (k *killSite) version(n int) {
	k.t.Helper()
	program := bytes.Repeat(fmt.Appendf(nil, "version %d of a program\n", n), 20000)
	var at strings.Builder
	for _, host := range k.lab.Hosts() {
		fmt.Fprintf(&at, "  - {name: %s, address: %s}\n", host.Name, host.Addr)
	}
	hosts := strings.SplitAfter(strings.TrimSuffix(at.String(), "\n"), "\n")
	role := func(i int) string { return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(hosts[i]), "-")) }
	text := fmt.Sprintf("cluster: version-%d\nmaster: %s\nregistry: %s\nslaves: [%s, %s]\nssh: {identityFile: %s, knownHosts: %s, connectTimeout: 5s}\nartifacts: {dir: %s}\n",
		n, role(0), role(3), role(1), role(2), k.lab.KeyFile, k.lab.KnownHostsFile, k.files)
	if err := errors.Join(
		os.WriteFile(filepath.Join(k.files, "program"), program, 0o600),
		os.WriteFile(filepath.Join(k.files, "SHA256SUMS"), fmt.Appendf(nil, "%x  program\n", sha256.Sum256(program)), 0o600),
		os.WriteFile(k.inventory, []byte(text), 0o600),
	); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killSite) command(name string) *exec.Cmd {
	return exec.Command(k.binary, name, "-i", k.inventory, "--templates", "testdata/kill", "--skip-verify")
}

// converge runs once the hosts are let go by the killed run: at once, or after
// guardSilence where a link was cut. It tells whether a lock stood in the way for
// longer than that.
func (k *killSite) converge() (stale int) {
	k.t.Helper()
	start := time.Now()
	for {
		out, err := k.command("apply").CombinedOutput()
		if time.Since(start) > 40*time.Second {
			stale = 1
		}
		if err == nil {
			return stale
		}
		if !bytes.Contains(out, []byte("is being changed by another run")) {
			k.t.Fatalf("the run after a kill: %v\n%s", err, out)
		}
		if time.Since(start) > 60*time.Second {
			k.t.Fatalf("a dead run's lock stays: %s", out)
		}
	}
}

// look returns the sums of the managed files of every host, as "host path".
func (k *killSite) look() map[string]string {
	k.t.Helper()
	var mutex sync.Mutex
	var group sync.WaitGroup
	found := map[string]string{}
	for _, host := range k.lab.Hosts() {
		group.Go(func() {
			out, err := host.Exec(k.t.Context(), append([]string{"sha256sum"}, killable()...)...)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				k.t.Errorf("%s: %v\n%s", host.Name, err, out)
			}
			for line := range strings.Lines(string(out)) {
				sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
				found[host.Name+" "+path] = sum
			}
		})
	}
	group.Wait()
	if len(found) != 4*len(killable()) {
		k.t.Errorf("%d files instead of %d: %v", len(found), 4*len(killable()), found)
	}
	return found
}

// disturb ends a run that has just begun: kills provision, and in some rounds
// takes a host's power or link away first.
func (k *killSite) disturb(round int, random *rand.Rand, figures *killed) {
	k.t.Helper()
	run := k.command("apply")
	if err := run.Start(); err != nil {
		k.t.Fatal(err)
	}
	host := k.lab.Hosts()[round%4]
	moment := time.NewTimer(time.Duration(random.Int64N(int64(k.took))))
	<-moment.C
	switch {
	case round%40 == 39:
		figures.powerOffs++
		if err := errors.Join(host.PowerOff(k.t.Context()), run.Process.Kill()); err != nil {
			k.t.Fatal(err)
		}
		_ = run.Wait()
		if err := errors.Join(host.Start(k.t.Context()), host.WaitSSH(k.t.Context())); err != nil {
			k.t.Fatal(err)
		}
	case round == 50:
		figures.cuts++
		if err := errors.Join(host.Cut(k.t.Context()), run.Process.Kill()); err != nil {
			k.t.Fatal(err)
		}
		_ = run.Wait()
		if err := host.Heal(k.t.Context()); err != nil {
			k.t.Fatal(err)
		}
	default:
		_ = run.Process.Kill()
		if run.Wait() == nil {
			return // it had ended
		}
	}
	figures.kills++
}

// At whatever moment a run is killed, each managed file is whole, old or new,
// and the next run converges; at the end nothing of all these runs is left.
func TestKill_EveryFileIsWholeAndTheNextRunConverges(t *testing.T) {
	k := newKillSite(t)
	random := rand.New(rand.NewPCG(7, 8))
	figures := killed{}
	k.version(-1)
	k.converge()
	k.version(0)
	begin := time.Now()
	k.converge()
	k.took = time.Since(begin)
	before := k.look()
	start := time.Now()
	round := 0
	for ; figures.kills < 100 && time.Since(start) < 170*time.Second; round++ {
		k.version(round + 1)
		k.disturb(round, random, &figures)
		amid := k.look()
		figures.staleLocks += k.converge()
		after := k.look()
		old, fresh := 0, 0
		for name, sum := range amid {
			switch sum {
			case after[name]:
				fresh++
			case before[name]:
				old++
			default:
				figures.torn++
				t.Errorf("round %d: %s is torn", round, name)
			}
		}
		if old > 0 && fresh > 0 {
			figures.midway++
		}
		if len(after) == len(amid) && !slices.Contains(sumsOf(after), "") {
			figures.converged++
		}
		before = after
	}
	k.version(round + 1) // what the last kill left goes with a run that changes every host
	k.converge()
	t.Logf("%d runs, %d kills (%d power offs, %d cuts; %d amid the changes), %d converged by one run, %d torn files, %d stale locks, %s; a run takes %s",
		round, figures.kills, figures.powerOffs, figures.cuts, figures.midway, figures.converged, figures.torn, figures.staleLocks, time.Since(start).Round(time.Second), k.took.Round(time.Millisecond))
	if figures.kills < 100 || figures.converged != round || figures.midway == 0 || figures.staleLocks > 0 {
		t.Errorf("%+v", figures)
	}
	for _, host := range k.lab.Hosts() {
		left := k.sh(t, host.Name, `
			find / -xdev -name '.*.provision~' 2>/dev/null
			ls -d /var/tmp/provision-* 2>/dev/null
			flock -n /run/provision/lock true || echo locked
			ls /run/provision/*.script 2>/dev/null
			[ $(ls /var/lib/provision/runs | grep -vc order) -le 5 ] || ls /var/lib/provision/runs # a run may be killed before it has one`)
		if left != "" {
			t.Errorf("%s: left behind:\n%s", host.Name, left)
		}
	}
}

func sumsOf(found map[string]string) []string {
	sums := make([]string, 0, len(found))
	for _, sum := range found {
		sums = append(sums, sum)
	}
	return sums
}

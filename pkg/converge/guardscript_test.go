package converge

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/pkg/resource"
)

// watched is a script that runs in the sandbox in a process group of its own,
// as sshd starts it.
type watched struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.WriteCloser
	answer  *guardAnswer
	stderr  bytes.Buffer
	ended   chan error
}

func (s *sandbox) start(t *testing.T, script string, args ...string) *watched {
	t.Helper()
	args = append(append(append([]string{}, s.shell[1:]...), "-c", s.inside(script)), args...)
	w := &watched{t: t, command: exec.Command(s.shell[0], args...), answer: &guardAnswer{locked: make(chan struct{})}, ended: make(chan error, 1)}
	w.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.command.Stdout, w.command.Stderr = w.answer, &w.stderr
	w.command.Env = append(os.Environ(), "SSH_CONNECTION=192.0.2.7 4711 192.0.2.1 22")
	var err error
	if w.stdin, err = w.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-w.command.Process.Pid, syscall.SIGKILL)
		_ = w.stdin.Close()
	})
	go func() { w.ended <- w.command.Wait() }()
	return w
}

// guard starts a guard of a run that was planned from a record with a sum.
func (s *sandbox) guard(t *testing.T, silence, seen, id string) *watched {
	t.Helper()
	return s.start(t, guardScript, "guard", silence, seen, id, "alice@laptop", "2026-01-02T03:04:05Z")
}

func (w *watched) mustLock() {
	w.t.Helper()
	select {
	case <-w.answer.locked:
	case err := <-w.ended:
		w.t.Fatalf("the guard ended: %v, %q, %s", err, w.answer.lines, &w.stderr)
	case <-time.After(30 * time.Second):
		w.t.Fatal("the guard does not lock")
	}
}

// mustEnd waits for the end, and returns its error.
func (w *watched) mustEnd(within time.Duration) error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(within):
		w.t.Fatal("it does not end")
		return nil
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestGuardScript_SecondIsToldWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		first := s.guard(t, "30", "-", "one")
		first.mustLock()
		if s.mode("run") != 0o700 || s.mode("run/lock") != 0o600 {
			t.Errorf("modes %o and %o", s.mode("run"), s.mode("run/lock"))
		}
		second := s.guard(t, "30", "-", "two")
		if err := second.mustEnd(30 * time.Second); err != nil {
			t.Fatal(err, &second.stderr)
		}
		var locked *LockedError
		err := second.answer.refusal("master", nil)
		if !errors.As(err, &locked) {
			t.Fatalf("got %v, %q", err, second.answer.lines)
		}
		want := LockedError{Host: "master", By: "alice@laptop", From: "192.0.2.7", Run: "one", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		if *locked != want {
			t.Errorf("got %+v", *locked)
		}
		_ = first.stdin.Close()
		if err := first.mustEnd(30 * time.Second); err != nil {
			t.Errorf("closed: %v, %s", err, &first.stderr)
		}
		s.guard(t, "30", "-", "three").mustLock()
	})
}

// Nothing arrives any more, and no end either: the operator's machine is frozen.
func TestGuardScript_SilenceEndsIt(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		guard := s.guard(t, "1", "-", "one")
		guard.mustLock()
		if err := guard.mustEnd(30 * time.Second); err == nil || !strings.Contains(guard.stderr.String(), "provision was not heard from for 1 s") {
			t.Errorf("%v: %s", err, &guard.stderr)
		}
		s.guard(t, "30", "-", "two").mustLock()
	})
}

func TestGuardScript_SignsOfLifeKeepIt(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		guard := s.guard(t, "2", "-", "one")
		guard.mustLock()
		start := time.Now()
		eventually(t, "more than a silence passes", func() bool {
			_, _ = io.WriteString(guard.stdin, "beat\n")
			select {
			case err := <-guard.ended:
				t.Fatalf("it ended: %v, %s", err, &guard.stderr)
			default:
			}
			return time.Since(start) > 3*time.Second
		})
	})
}

// hanging is a script of a run at work: a command with a deadline hangs in it,
// and one that it started.
func (s *sandbox) hanging(t *testing.T, guard *watched, id string) *watched {
	t.Helper()
	s.write("bin/hang", "#!/bin/sh\nsleep 300 &\necho $$ $! >"+s.path("hangs")+"\nwait\n")
	script := s.start(t, applyScript)
	_, _ = script.stdin.Write(stream(t, op("guarded", id), op("run", "300", "", "hang")))
	eventually(t, "the command runs", func() bool {
		_, _ = io.WriteString(guard.stdin, "beat\n") // however long it takes on a busy machine
		return len(strings.Fields(s.read("hangs"))) == 2
	})
	return script
}

// hangs tells whether one of the processes still runs that hang started.
func (s *sandbox) hangs() bool {
	for word := range strings.FieldsSeq(s.read("hangs")) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			s.t.Fatal(err)
		}
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			return true
		}
	}
	return false
}

// checkEndsAll ends a guard in some way while a script of its run is at work.
func checkEndsAll(t *testing.T, s *sandbox, end func(*watched)) {
	t.Helper()
	guard := s.guard(t, "2", "-", "one")
	guard.mustLock()
	script := s.hanging(t, guard, "one")
	end(guard)
	_ = guard.mustEnd(30 * time.Second)
	if err := script.mustEnd(10 * time.Second); err == nil {
		t.Error("the script ended well")
	}
	eventually(t, "no process is left", func() bool { return !s.hangs() })
	if left, _ := os.ReadDir(s.path("run")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestGuardScript_EndsTheScriptAndAllThatItStarted(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		checkEndsAll(t, s, func(w *watched) { _ = w.stdin.Close() })
	})
}

func TestGuardScript_EndsTheScriptHoweverItEndsItself(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*watched){
		"silent": func(*watched) {},
		"terminated": func(w *watched) {
			_ = w.command.Process.Signal(syscall.SIGTERM)
			_, _ = io.WriteString(w.stdin, "beat\n")
		},
	} {
		t.Run(name, func(t *testing.T) { checkEndsAll(t, newSandbox(t), end) })
	}
}

func TestGuardScript_WhatIgnoresTermIsKilled(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	guard := s.guard(t, "30", "-", "one")
	guard.mustLock()
	s.write("bin/stubborn", "#!/bin/sh\ntrap '' TERM\necho $$ >"+s.path("hangs")+"\nwhile :; do sleep 1; done\n")
	script := s.start(t, applyScript)
	_, _ = script.stdin.Write(stream(t, op("guarded", "one"), op("run", "0", "", "stubborn")))
	eventually(t, "the command runs", func() bool { return len(strings.Fields(s.read("hangs"))) == 1 })
	_ = guard.stdin.Close()
	_ = guard.mustEnd(30 * time.Second)
	eventually(t, "it is gone", func() bool { return !s.hangs() })
}

// The number of a script that ended without a word may be another process's by
// now; and what a dead run left behind is nobody's.
func TestGuardScript_EndsNoOtherProcess(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		other := exec.Command("sleep", "300")
		other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- other.Wait() }()
		t.Cleanup(func() { _ = other.Process.Kill() })
		pid := strconv.Itoa(other.Process.Pid)
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat))
		if err := os.Mkdir(s.path("run"), 0o700); err != nil {
			t.Fatal(err)
		}
		s.write("run/one.script", pid+" "+pid+" "+fields[21]+"\n") // left by a run of the same name
		guard := s.guard(t, "30", "-", "one")
		guard.mustLock()
		if _, err := os.Stat(s.path("run/one.script")); err == nil {
			t.Error("it keeps what it did not see being left")
		}
		s.write("run/one.script", pid+" "+pid+" 1\n")
		_ = guard.stdin.Close()
		if err := guard.mustEnd(30 * time.Second); err != nil {
			t.Error(err, &guard.stderr)
		}
		select {
		case err := <-ended:
			t.Errorf("the other process was ended: %v", err)
		default:
		}
	})
}

func TestGuardScript_HostThatChangedSinceThePlanIsNotLocked(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		record := &Record{Version: recordVersion, Run: Run{ID: "other", By: "bob@desk", Time: now, Inventory: "x"}}
		write, err := record.op()
		if err != nil {
			t.Fatal(err)
		}
		s.mustApply(write)
		sum := resource.Sum([]byte(s.read("home/record.json")))
		for _, seen := range []string{"-", strings.Repeat("0", 64)} {
			guard := s.guard(t, "30", seen, "one")
			if err := guard.mustEnd(30 * time.Second); err != nil {
				t.Fatal(err, &guard.stderr)
			}
			var stale *StaleError
			if err := guard.answer.refusal("a", nil); !errors.As(err, &stale) || *stale != (StaleError{Host: "a", By: "bob@desk", Since: now, Run: "other"}) {
				t.Errorf("seen %s: %v", seen, err)
			}
		}
		guard := s.guard(t, "30", sum, "one")
		guard.mustLock()
		_ = guard.stdin.Close()
		_ = guard.mustEnd(30 * time.Second)
		if err := os.Remove(s.path("home/record.json")); err != nil {
			t.Fatal(err)
		}
		guard = s.guard(t, "30", sum, "one")
		_ = guard.mustEnd(30 * time.Second)
		if err := guard.answer.refusal("a", nil); !errors.As(err, new(*StaleError)) {
			t.Errorf("the record is gone: %v", err)
		}
	})
}

func TestGuardScript_HostWithoutFlockIsTold(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	script := strings.Replace(guardScript, "command -v flock", "command -v no-such-flock", 1)
	guard := s.start(t, script, "guard", "30", "-", "one", "alice@laptop", "2026-01-02T03:04:05Z")
	if err := guard.mustEnd(30 * time.Second); err == nil || !strings.Contains(guard.stderr.String(), "install util-linux") {
		t.Errorf("%v: %s", err, &guard.stderr)
	}
}

// A script that arrives when its run was taken for dead does nothing, whether
// another run has the lock by then or nobody.
func TestApplyScript_WithoutTheLockNothingIsDone(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		write := resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("x"))
		refused := func(when string) {
			t.Helper()
			stderr, err := s.apply(op("guarded", "one"), write)
			if err == nil || !strings.Contains(stderr, "does not hold the host's lock") {
				t.Errorf("%s: %v: %s", when, err, stderr)
			}
			if _, err := os.Stat(s.path("file")); err == nil {
				t.Errorf("%s: it went on", when)
			}
		}
		refused("before any lock")
		guard := s.guard(t, "30", "-", "two")
		guard.mustLock()
		refused("another's lock")
		if stderr, err := s.apply(op("guarded", "two"), write); err != nil {
			t.Error(err, stderr)
		}
		_ = guard.stdin.Close()
		_ = guard.mustEnd(30 * time.Second)
		refused2, err := s.apply(op("guarded", "two"), write)
		if err == nil || !strings.Contains(refused2, "does not hold") {
			t.Errorf("after the guard: %v: %s", err, refused2)
		}
		if left, _ := os.ReadDir(s.path("run")); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// What dead runs have uploaded goes with the first run after them that ends; it
// may have gone on with it.
func TestGuardScript_UploadsOfDeadRunsGoAtTheEnd(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		dead, own, other := s.path("uploads/provision-0123456789"), s.path("uploads/provision-abcdefghij"), s.path("uploads/provision-mine")
		for _, folder := range []string{dead, other} {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		guard := s.guard(t, "30", "-", "one")
		guard.mustLock()
		if _, err := os.Stat(dead); err != nil {
			t.Error("it is gone before the run could go on with it")
		}
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = guard.stdin.Close()
		if err := guard.mustEnd(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dead); err == nil {
			t.Error("it is still there")
		}
		for _, folder := range []string{own, other} {
			if _, err := os.Stat(folder); err != nil {
				t.Errorf("%s is gone", folder)
			}
		}
	})
}

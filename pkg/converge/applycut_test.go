package converge

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/pkg/resource"
)

// Wherever the stream is cut, no operation runs that did not arrive whole: not
// one with fewer arguments, nor one with half an argument.
func TestApplyScript_CutStreamRunsOnlyWhatArrivedWhole(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("bin/note", "#!/bin/sh\nprintf '%s|' \"$@\" >>"+s.path("notes")+"\n")
		whole := stream(t,
			resource.WriteOp(s.path("one"), s.attributes("0600"), []byte("new one")),
			op("run", "0", "", "note", "10", "arguments"),
			resource.WriteOp(s.path("two"), s.attributes("0600"), []byte("new two")),
			op("remove", s.path("three")),
		)
		for cut := range whole {
			// At each end of a line, and here and there within.
			if cut%9 != 0 && whole[cut] != '\n' && whole[cut-1] != '\n' {
				continue
			}
			for _, name := range []string{"one", "two", "three"} {
				s.write(name, "old")
			}
			s.write("notes", "")
			stdout, stderr, err := s.run(applyScript, whole[:cut])
			if err == nil || strings.Contains(stdout, "end") || !strings.Contains(stderr, "was the connection cut?") {
				t.Fatalf("cut after %d of %d bytes: %v, %q, %q", cut, len(whole), err, stdout, stderr)
			}
			checkWhole(t, s, cut)
		}
	})
}

// checkWhole checks that each thing is as before or as wanted, and in order.
func checkWhole(t *testing.T, s *sandbox, cut int) {
	t.Helper()
	for name, allowed := range map[string][]string{
		"one": {"old", "new one"}, "two": {"old", "new two"}, "notes": {"", "10|arguments|"},
	} {
		if got := s.read(name); !slices.Contains(allowed, got) {
			t.Fatalf("cut after %d bytes, %s holds %q", cut, name, got)
		}
	}
	if _, err := os.Lstat(s.path("three")); err != nil && s.read("two") == "old" {
		t.Fatalf("cut after %d bytes, the last operation ran and one before it did not", cut)
	}
}

// Killed at any moment, the script leaves every file old or new, and the next
// run finishes and cleans up.
func TestApplyScript_KilledLeavesEachFileWholeAndTheNextRunFinishes(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	content := func(version string) string { return strings.Repeat(version, 20<<10) }
	names := []string{"a", "b", "c"}
	ops := func(version string) []byte {
		var ops []resource.Op
		for _, name := range names {
			ops = append(ops, resource.WriteOp(s.path(name), s.attributes("0600"), []byte(content(version))))
		}
		return stream(t, ops...)
	}
	if _, stderr, err := s.run(applyScript, ops("0")); err != nil {
		t.Fatal(err, stderr)
	}
	killed := 0
	for round := range 20 {
		previous, next := string(rune('0'+round)), string(rune('1'+round))
		if !s.killed(ops(next), time.Duration(rand.IntN(40))*time.Millisecond) {
			killed++
		}
		for _, name := range names {
			if got := s.read(name); got != content(previous) && got != content(next) {
				t.Fatalf("round %d: %s is torn: %d bytes", round, name, len(got))
			}
		}
		if _, stderr, err := s.run(applyScript, ops(next)); err != nil {
			t.Fatal(err, stderr)
		}
		noLeftovers(t, s)
	}
	if killed == 0 {
		t.Error("no run was killed before its end: this test proves nothing")
	}
}

// killed runs the operations and kills the script with all it started, as a
// power cut does. It tells whether the script had ended by then.
func (s *sandbox) killed(ops []byte, after time.Duration) bool {
	s.t.Helper()
	command := exec.Command(s.shell[0], append(append([]string{}, s.shell[1:]...), "-c", s.inside(applyScript))...)
	command.Stdin = bytes.NewReader(ops)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	return command.Wait() == nil
}

// Killed between the writing and the renaming, whatever half a file stands
// there: the next run takes its place.
func TestApplyScript_LeftoverIsWrittenOver(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write(temporaryName("file"), "half a fi")
		if err := os.Chmod(s.path(temporaryName("file")), 0o400); err != nil {
			t.Fatal(err)
		}
		s.mustApply(resource.WriteOp(s.path("file"), s.attributes("0640"), []byte("whole")))
		if s.read("file") != "whole" || s.mode("file") != 0o640 {
			t.Errorf("file %q, mode %o", s.read("file"), s.mode("file"))
		}
		noLeftovers(t, s)
	})
}

// Files that belong together change together: nothing is in place before the
// last of them has arrived.
func TestApplyScript_NothingIsInPlaceBeforeAllIsWritten(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("one", "old")
	_, err := s.apply(
		resource.WriteOp(s.path("one"), s.attributes("0600"), []byte("new")),
		resource.WriteOp(s.path("units"), s.attributes("0600"), []byte("can't be: a folder is there")),
	)
	if err == nil || s.read("one") != "old" {
		t.Errorf("%v; one %q", err, s.read("one"))
	}
}

// A power cut right after the renaming must not find an empty file: the content
// is on disk before it gets its name, and the name before the run goes on.
func TestApplyScript_ContentIsSyncedBeforeItIsPutInPlace(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for _, tool := range []string{"sync", "mv"} { // they note that they are called, and call the real one
		s.write("bin/"+tool, "#!/bin/sh\necho "+tool+" \"$@\" >>"+s.path("calls")+"\nexec /bin/"+tool+" \"$@\"\n")
	}
	s.write("upload", "a program")
	s.mustApply(
		resource.WriteOp(s.path("etc/file"), s.attributes("0600"), []byte("x")),
		op("install", s.path("bin/program"), "0755", s.user, s.group, resource.Sum([]byte("a program")), s.path("upload"), "stamp"),
	)
	file, program := s.path("etc/"+temporaryName("file")), s.path("bin/"+temporaryName("program"))
	want := []string{
		"sync -- " + file, "mv -f -- " + file + " " + s.path("etc/file"), "sync -- " + s.path("etc") + "/",
		"mv -f -- " + s.path("upload") + " " + program, "sync -- " + program, "mv -f -- " + program + " " + s.path("bin/program"),
	}
	if got := s.read("calls"); !strings.HasPrefix(got, strings.Join(want, "\n")+"\n") {
		t.Errorf("got\n%swant\n%s", got, strings.Join(want, "\n"))
	}
}

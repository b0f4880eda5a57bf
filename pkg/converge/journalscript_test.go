package converge

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/pkg/resource"
)

// journaled are operations of a run that keeps a journal, in one stage.
func journaled(run string, ops ...resource.Op) []resource.Op {
	return append([]resource.Op{op("journal", run, `{"id":"`+run+`"}`), op("stage", "s")}, ops...)
}

func TestJournal_KeepsTheOldSelfOfWhatIsReplacedOrRemoved(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("old file", "old")
		s.write("gone", "was here")
		s.write("upload", "a program")
		s.write("bin/program", "old program")
		before, err := os.Stat(s.path("old file"))
		if err != nil {
			t.Fatal(err)
		}
		s.mustApply(journaled("one",
			op("begin", "file "+s.path("old file"), "update", "change"),
			resource.WriteOp(s.path("old file"), s.attributes("0600"), []byte("new")),
			resource.WriteOp(s.path("fresh"), s.attributes("0600"), []byte("new")),
			op("remove", s.path("gone")),
			op("install", s.path("bin/program"), "0755", s.user, s.group, resource.Sum([]byte("a program")), s.path("upload"), "stamp"),
		)...)
		log := s.read("home/runs/one/log")
		for _, want := range []string{
			"stage s", "did update change file " + s.path("old file"), "file 1 " + s.path("old file"), "absent " + s.path("fresh"),
			"file 2 " + s.path("gone"), "file 3 " + s.path("bin/program"),
		} {
			if !slices.Contains(strings.Split(log, "\n"), want) {
				t.Errorf("the log lacks %q:\n%s", want, log)
			}
		}
		for number, want := range map[int]string{1: "old", 2: "was here", 3: "old program"} {
			if got := s.read(fmt.Sprint("home/runs/one/files/", number)); got != want {
				t.Errorf("file %d holds %q, want %q", number, got, want)
			}
		}
		after, err := os.Stat(s.path("home/runs/one/files/1"))
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("the old file was copied: %v", err)
		}
		if mode := s.mode("home/runs"); mode != 0o700 {
			t.Errorf("the journals have mode %o", mode)
		}
	})
}

func TestJournal_FiveRunsAreKept(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		for run := range 8 {
			s.mustApply(journaled(fmt.Sprint("run", run), resource.WriteOp(s.path("file"), s.attributes("0600"), []byte(fmt.Sprint(run))))...)
		}
		// What a kill left of an older one goes as well.
		if err := os.MkdirAll(s.path("home/runs/half/files"), 0o700); err != nil {
			t.Fatal(err)
		}
		s.mustApply(journaled("run8")...)
		entries, err := filepath.Glob(s.path("home/runs/*/log"))
		if err != nil || len(entries) != 5 {
			t.Errorf("%d journals: %v", len(entries), entries)
		}
		if got := s.read("home/runs/order"); got != "run4\nrun5\nrun6\nrun7\nrun8\n" {
			t.Errorf("order %q", got)
		}
		if _, err := os.Stat(s.path("home/runs/half")); err == nil {
			t.Error("half a journal is still there")
		}
	})
}

func TestJournal_WhatStaysNeverGoesBack(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for change, want := range map[*Change]bool{
		{resource: resource.Authority{}}: true, {resource: resource.File{Once: true}}: true, {resource: resource.File{}}: false, {resource: resource.Trust{}}: false,
	} {
		if change.stays() != want {
			t.Errorf("%T stays: %v", change.resource, change.stays())
		}
	}
	s.mustApply(journaled("one", op("begin", "authority cluster", "create", "new", "stays"), resource.WriteOp(s.path("ca.key"), s.attributes("0600"), []byte("key")))...)
	s.mustApply(op("journal", "one", "{}"), op("revert"))
	if s.read("ca.key") != "key" {
		t.Error("the key went back")
	}
}

// Whatever a stage did to files and units, revert undoes; what earlier stages
// did stays, but for the paths that are named.
func TestRevert_PutsBackTheLastStage(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("earlier", "old")
		s.write("program", "old")
		s.write("file", "old")
		s.write("gone", "was here")
		s.write("mode", "x")
		s.write("units/web.service.active", "")
		s.write("units/web.service.enabled", "")
		if err := os.Symlink("file", s.path("link")); err != nil {
			t.Fatal(err)
		}
		s.mustApply(journaled("one",
			resource.WriteOp(s.path("earlier"), s.attributes("0600"), []byte("new")),
			resource.WriteOp(s.path("program"), s.attributes("0600"), []byte("new")))...)
		s.mustApply(journaled("one",
			resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("new")),
			resource.WriteOp(s.path("link"), s.attributes("0600"), []byte("new")),
			resource.WriteOp(s.path("fresh"), s.attributes("0600"), []byte("new")),
			op("directory", s.path("folder"), "0700", s.user, s.group),
			op("attributes", s.path("mode"), "0600", s.user, s.group),
			op("remove", s.path("gone")),
			op("unit-load", "web.service"), op("unit-restart", "web.service"),
			op("unit-load", "new.service"), op("unit-enable", "new.service"), op("unit-restart", "new.service"))...)
		s.write("units/calls", "")
		stdout, stderr, err := s.run(applyScript, stream(t, op("journal", "one", "{}"), op("revert", s.path("program"))))
		if err != nil || stdout != "back web.service\nend\n" {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		for name, want := range map[string]string{"earlier": "new", "program": "old", "file": "old", "gone": "was here", "link": "old"} {
			if got := s.read(name); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
		if target, err := os.Readlink(s.path("link")); err != nil || target != "file" {
			t.Errorf("the link is %q: %v", target, err)
		}
		for _, name := range []string{"fresh", "folder"} {
			if _, err := os.Lstat(s.path(name)); err == nil {
				t.Errorf("%s is still there", name)
			}
		}
		if s.mode("mode") != 0o755 || s.mode("file") != 0o755 {
			t.Errorf("modes %o and %o", s.mode("mode"), s.mode("file"))
		}
		if got := s.read("units/calls"); !strings.HasPrefix(got, "stop new.service\ndisable new.service\n") || !strings.HasSuffix(got, "restart web.service\n") {
			t.Errorf("systemctl was told %q", got)
		}
		noLeftovers(t, s)
	})
}

func TestRevert_UnitThatWasOnlyEnabledIsDisabledAndRunsOn(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("units/web.service.active", "")
	s.mustApply(journaled("one", op("unit-load", "web.service"), op("unit-enable", "web.service"))...)
	s.write("units/calls", "")
	stdout, stderr, err := s.run(applyScript, stream(t, op("journal", "one", "{}"), op("revert")))
	if err != nil || stdout != "end\n" || s.read("units/calls") != "disable web.service\n" {
		t.Errorf("%v: %s%s; systemctl was told %q", err, stdout, stderr, s.read("units/calls"))
	}
}

func TestRevert_TellsOfAUnitThatStaysDown(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("units/web.service.active", "")
	s.write("file", "old")
	s.mustApply(journaled("one", resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("new")), op("unit-load", "web.service"), op("unit-restart", "web.service"))...)
	s.write("units/web.service.fails", "")
	stdout, stderr, err := s.run(applyScript, stream(t, op("journal", "one", "{}"), op("revert")))
	if err != nil || stdout != "down web.service\nend\n" || s.read("file") != "old" {
		t.Errorf("%v: %s%s", err, stdout, stderr)
	}
}

func TestUndo_PutsBackAWholeRunAndCanBeUndone(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("file", "old")
		s.write("gone", "was here")
		s.write("reverted", "old")
		s.write("units/web.service.active", "")
		s.mustApply(journaled("one",
			resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("new")),
			op("unit-load", "web.service"), op("unit-restart", "web.service"))...)
		s.mustApply(journaled("one", op("remove", s.path("gone")))...)
		s.mustApply(journaled("one", resource.WriteOp(s.path("reverted"), s.attributes("0600"), []byte("new")))...)
		s.mustApply(op("journal", "one", "{}"), op("revert"))
		s.write("reverted", "edited since")
		s.write("units/log", "")
		s.mustApply(journaled("two", op("undo", "one"))...)
		if s.read("file") != "old" || s.read("gone") != "was here" || s.read("reverted") != "edited since" || s.read("units/log") != "restart web.service\n" {
			t.Errorf("file %q, gone %q, reverted %q, log %q", s.read("file"), s.read("gone"), s.read("reverted"), s.read("units/log"))
		}
		s.mustApply(journaled("three", op("undo", "two"))...)
		if _, err := os.Stat(s.path("gone")); err == nil || s.read("file") != "new" {
			t.Errorf("undone again: file %q, gone: %v", s.read("file"), err)
		}
		if stderr, err := s.apply(journaled("four", op("undo", "never"))...); err == nil || !strings.Contains(stderr, "the journal of run never is gone") {
			t.Errorf("%v: %s", err, stderr)
		}
		noLeftovers(t, s)
	})
}

// The stamp of a program is that of the file that stands there now.
func TestRevert_ProgramThatWentBackIsKnownByItsOldSum(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	path := s.path("bin/program")
	stamp := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "!")
	install := func(content string) resource.Op {
		s.write("upload", content)
		return op("install", path, "0755", s.user, s.group, resource.Sum([]byte(content)), s.path("upload"), stamp)
	}
	s.mustApply(journaled("one", install("old"))...)
	s.mustApply(journaled("two", install("new"))...)
	s.mustApply(op("journal", "two", "{}"), op("revert"))
	if s.read("bin/program") != "old" || !strings.Contains(s.read("home/stamps/"+stamp), resource.Sum([]byte("old"))) {
		t.Errorf("program %q, stamp %q", s.read("bin/program"), s.read("home/stamps/"+stamp))
	}
}

func TestSettle_UnitThatDiesOrIsStartedAgainIsSick(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("units/web.service.active", "")
		s.mustApply(op("settle", "0", "web.service"))
		stdout, stderr, err := s.run(applyScript, stream(t, op("settle", "0", "web.service", "other.service")))
		if err == nil || stdout != "sick other.service\n" || !strings.Contains(stderr, "the last words of the unit") {
			t.Errorf("%v: %s%s", err, stdout, stderr)
		}
		s.write("units/web.service.flaps", "")
		stdout, stderr, err = s.run(applyScript, stream(t, op("settle", "5", "web.service")))
		if err == nil || stdout != "sick web.service\n" || !strings.Contains(stderr, "systemd started it again") {
			t.Errorf("%v: %s%s", err, stdout, stderr)
		}
	})
}

func TestApplyScript_OnlyAUnitThatRanBeforeIsSick(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("units/web.service.fails", "")
	if stdout, _, err := s.run(applyScript, stream(t, op("unit-restart", "web.service"))); err == nil || stdout != "" {
		t.Errorf("a first start: %v, %q", err, stdout)
	}
	s.write("units/web.service.active", "")
	if stdout, _, err := s.run(applyScript, stream(t, op("unit-restart", "web.service"))); err == nil || stdout != "sick web.service\n" {
		t.Errorf("a restart: %v, %q", err, stdout)
	}
}

// A shell's word for a full disk is "I/O error": the run is refused before it
// touches anything, in words.
func TestJournal_WithoutRoomNothingIsTouched(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		if strings.HasSuffix(s.shell[0], "busybox") {
			t.Skip("its shell prefers its own df")
		}
		s.write("file", "old")
		s.write("bin/df", "#!/bin/sh\necho Filesystem; echo disk 100 100 12 99% /var\n")
		stderr, err := s.apply(op("journal", "one", "{}"), resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("new")))
		if err == nil || !strings.Contains(stderr, "there is no room in") || !strings.Contains(stderr, "12 KiB are free") || s.read("file") != "old" {
			t.Errorf("got %v, %s; the file has %q", err, stderr, s.read("file"))
		}
	})
}

package converge

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/pkg/resource"
)

func TestApplyScript_WritesContentModeAndFolders(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		binary := string([]byte{0, 1, 2, 255, '\n', 0}) + strings.Repeat("x", 300<<10)
		names := []string{"plain", "a b", "it's", `"quoted"`, "$(touch pwned)", "`touch pwned`", "-rf", "ünïcödé", "*"}
		var ops []resource.Op
		for _, name := range names {
			ops = append(ops, resource.WriteOp(s.path("new/folder/"+name), s.attributes("0640"), []byte("content of "+name)))
		}
		ops = append(ops,
			resource.WriteOp(s.path("binary"), s.attributes("0600"), []byte(binary)),
			resource.WriteOp(s.path("empty"), s.attributes("0600"), nil))
		stdout, stderr, err := s.run(applyScript, stream(t, ops...))
		if err != nil || !strings.HasSuffix(stdout, "end\n") {
			t.Fatalf("%v\n%s%s", err, stdout, stderr)
		}
		for _, name := range names {
			if got := s.read("new/folder/" + name); got != "content of "+name {
				t.Errorf("%s holds %q", name, got)
			}
			if mode := s.mode("new/folder/" + name); mode != 0o640 {
				t.Errorf("%s has mode %o", name, mode)
			}
		}
		if s.read("binary") != binary || s.read("empty") != "" {
			t.Error("binary or empty content did not arrive as it was")
		}
		if mode := s.mode("new"); mode != 0o755 {
			t.Errorf("a new folder has mode %o", mode)
		}
		noLeftovers(t, s)
	})
}

// noLeftovers checks that no temporary file and nothing unasked for is there.
func noLeftovers(t *testing.T, s *sandbox) {
	t.Helper()
	err := filepath.WalkDir(s.root, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "provision~") || filepath.Base(path) == "pwned" {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestApplyScript_RefusesAFolderInTheWay(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	_, stderr, err := s.run(applyScript, stream(t, resource.WriteOp(s.path("units"), s.attributes("0600"), []byte("x"))))
	if err == nil || !strings.Contains(stderr, "is a directory; move it away first") {
		t.Errorf("%v: %s", err, stderr)
	}
	if err := os.Symlink(s.path("units"), s.path("link")); err != nil {
		t.Fatal(err)
	}
	_, stderr, err = s.run(applyScript, stream(t, resource.WriteOp(s.path("link"), s.attributes("0600"), []byte("x"))))
	if err == nil || !strings.Contains(stderr, "is a directory; move it away first") {
		t.Errorf("a link to a folder: %v: %s", err, stderr)
	}
	noLeftovers(t, s)
}

func TestApplyScript_InstallChecksTheSum(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	install := func(sum string) (string, error) {
		s.write("upload", "a program")
		op := resource.Op{Verb: "install", Args: []string{s.path("bin/program"), "0755", s.user, s.group, sum, s.path("upload"), "stamp"}}
		_, stderr, err := s.run(applyScript, stream(t, op))
		return stderr, err
	}
	stderr, err := install(strings.Repeat("0", 64))
	if err == nil || !strings.Contains(stderr, "arrived with the sum") {
		t.Errorf("%v: %s", err, stderr)
	}
	if _, err := os.Stat(s.path("bin/program")); err == nil {
		t.Error("a program with a wrong sum is in place")
	}
	if stderr, err := install(resource.Sum([]byte("a program"))); err != nil {
		t.Fatal(err, stderr)
	}
	if !strings.Contains(s.read("home/stamps/stamp"), resource.Sum([]byte("a program"))) {
		t.Errorf("stamp: %s", s.read("home/stamps/stamp"))
	}
	noLeftovers(t, s)
}

func TestApplyScript_FailingUnitShowsItsLastWords(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("units/web.service.fails", "")
	stdout, stderr, err := s.run(applyScript, stream(t,
		resource.Op{Verb: "begin", Args: []string{"service web.service"}},
		resource.Op{Verb: "unit-restart", Args: []string{"web.service"}},
		resource.Op{Verb: "begin", Args: []string{"service next.service"}}))
	if err == nil || !strings.Contains(stderr, "the last words of the unit") {
		t.Errorf("%v: %s", err, stderr)
	}
	if stdout != "begin service web.service\n" {
		t.Errorf("it went on: %s", stdout)
	}
}

func TestApplyScript_UnitThatDiesAtOnceIsAFailure(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("units/web.service.dies", "")
	stderr, err := s.apply(op("unit-restart", "web.service"))
	if err == nil || !strings.Contains(stderr, "web.service is not well") {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestApplyScript_RunsCommandsWithInputUntilTheySucceed(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/count", "#!/bin/sh\necho x >>"+s.path("tries")+"\ncat >"+s.path("input")+"\n[ $(wc -l <"+s.path("tries")+") -ge 3 ]\n")
	input := base64.StdEncoding.EncodeToString([]byte("the input"))
	if _, stderr, err := s.run(applyScript, stream(t, resource.Op{Verb: "run", Args: []string{"10", input, "count"}})); err != nil {
		t.Fatal(err, stderr)
	}
	if s.read("tries") != "x\nx\nx\n" || s.read("input") != "the input" {
		t.Errorf("tries %q, input %q", s.read("tries"), s.read("input"))
	}
	_, stderr, err := s.run(applyScript, stream(t, resource.Op{Verb: "wait", Args: []string{"0", "sh", "-c", "echo not yet; exit 1"}}))
	if err == nil || !strings.Contains(stderr, "not yet") {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestApplyScript_UnknownVerbFails(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	if _, stderr, err := s.run(applyScript, stream(t, resource.Op{Verb: "explode"})); err == nil || !strings.Contains(stderr, "explode") {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestScript_PackagesThatFollowEachOtherAreInstalledTogether(t *testing.T) {
	script := &script{}
	for _, name := range []string{"one", "two", "three"} {
		op := resource.Op{Verb: "package", Args: []string{"apt-get", name}}
		script.add(Change{Resource: resource.ID{Kind: "package", Name: name}}, []resource.Op{op})
	}
	var verbs []string
	for _, op := range script.ops {
		verbs = append(verbs, strings.TrimSpace(op.Verb+" "+strings.Join(op.Args, " ")))
	}
	want := "begin package one|package apt-get one two three|begin package two|begin package three"
	if got := strings.Join(verbs, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

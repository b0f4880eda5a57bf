package converge

import (
	"os"
	"strings"
	"testing"

	"provision/pkg/resource"
)

// look runs the probe in the sandbox.
func (s *sandbox) look(q *resource.Questions) Observation {
	s.t.Helper()
	questions, err := encodeQuestions(q)
	if err != nil {
		s.t.Fatal(err)
	}
	stdout, stderr, err := s.run(probeScript, questions)
	if err != nil {
		s.t.Fatal(err, stderr)
	}
	observation, err := parseAnswers(q, []byte(stdout))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, stdout)
	}
	return observation
}

func TestProbeScript_AnswersEveryQuestion(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("it's $(here)", "content")
		if err := os.Symlink("nowhere", s.path("link")); err != nil {
			t.Fatal(err)
		}
		s.write("units/web.service.active", "")
		file, link, missing := s.path("it's $(here)"), s.path("link"), s.path("missing")
		facts := s.look(&resource.Questions{
			Files:    []string{file, link, missing, s.root},
			Sums:     []string{file, link, missing},
			Shown:    map[string]string{file: ""},
			Units:    []string{"web.service", "idle.service"},
			Sysctls:  []string{"kernel.ostype", "no.such_key"},
			Packages: []string{"no-such-package"},
			Checks: []resource.Check{
				{Name: "yes", Args: []string{"sh", "-c", "echo out; echo err >&2"}},
				{Name: "no", Args: []string{"sh", "-c", "exit 3"}},
				{Name: "absent", Args: []string{"no such program"}},
			},
		}).Facts
		if f := facts.Files[file]; f.Type != "file" || f.Mode != "0755" || f.Owner != s.user || f.Sum != resource.Sum([]byte("content")) || string(f.Content) != "content" {
			t.Errorf("file: %+v", f)
		}
		if f := facts.Files[link]; f.Type != "link" || f.Sum != "" {
			t.Errorf("link: %+v", f)
		}
		if _, ok := facts.Files[missing]; ok {
			t.Error("a missing file has facts")
		}
		if f := facts.Files[s.root]; f.Type != "directory" {
			t.Errorf("directory: %+v", f)
		}
		if facts.Units["web.service"].ActiveState != "active" || facts.Units["idle.service"].ActiveState != "inactive" {
			t.Errorf("units: %+v", facts.Units)
		}
		if len(facts.Sysctls) != 1 || facts.Sysctls["kernel.ostype"] != "Linux" {
			t.Errorf("sysctls: %v", facts.Sysctls)
		}
		if len(facts.Packages) != 0 {
			t.Errorf("packages: %v", facts.Packages)
		}
		if c := facts.Checks["yes"]; c.Status != 0 || c.Sum != resource.Sum([]byte("out\n")) {
			t.Errorf("check: %+v", c)
		}
		if facts.Checks["no"].Status != 3 || facts.Checks["absent"].Status == 0 {
			t.Errorf("checks: %v", facts.Checks)
		}
		if !facts.Filesystems["proc"] {
			t.Errorf("host: %v", facts.Filesystems)
		}
	})
}

func TestProbeScript_ShowsContentOnlyOfFilesThatDiffer(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("same", "as expected")
	s.write("other", "changed")
	q := &resource.Questions{
		Files: []string{s.path("other"), s.path("same")},
		Sums:  []string{s.path("other"), s.path("same")},
		Shown: map[string]string{s.path("same"): resource.Sum([]byte("as expected")), s.path("other"): resource.Sum([]byte("as expected"))},
	}
	facts := s.look(q).Facts
	if facts.Files[s.path("same")].Shown {
		t.Error("the content of a file that is as expected was sent")
	}
	if f := facts.Files[s.path("other")]; !f.Shown || string(f.Content) != "changed" {
		t.Errorf("%+v", f)
	}
}

// A program's sum comes from its stamp, as long as nothing about the file
// changed.
func TestProbeScript_ProgramIsHashedOnlyWhenItChanged(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("upload", "a program")
	program, sum := s.path("program"), resource.Sum([]byte("a program"))
	op := resource.Op{Verb: "install", Args: []string{program, "0755", s.user, s.group, sum, s.path("upload"), "program"}}
	if _, stderr, err := s.run(applyScript, stream(t, op)); err != nil {
		t.Fatal(err, stderr)
	}
	q := &resource.Questions{Files: []string{program}, Known: []string{program}}
	s.write("bin/sha256sum", "#!/bin/sh\necho must not be called >&2; exit 1\n")
	if got := s.look(q).Facts.Files[program].Sum; got != sum {
		t.Errorf("sum from the stamp: %q", got)
	}
	if err := os.Remove(s.path("bin/sha256sum")); err != nil {
		t.Fatal(err)
	}
	s.write("program", "A program") // the same size
	if got := s.look(q).Facts.Files[program].Sum; got != resource.Sum([]byte("A program")) {
		t.Errorf("sum of a changed program: %q", got)
	}
}

func TestProbeScript_ReadsTheRecordBack(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	record := &Record{Version: recordVersion, Run: Run{ID: "one"}, Resources: map[string]resource.State{"file /x": {{Name: "content", Value: "y"}}}}
	op, err := record.op()
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := s.run(applyScript, stream(t, op)); err != nil {
		t.Fatal(err, stderr)
	}
	seen := s.look(&resource.Questions{}).Record
	if seen.Run.ID != "one" || seen.Last(resource.ID{Kind: "file", Name: "/x"}).Get("content") != "y" {
		t.Errorf("%+v", seen)
	}
	if mode := s.mode("home/record.json"); mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
	if mode := s.mode("home"); mode != 0o700 {
		t.Errorf("mode of its folder %o", mode)
	}
}

func TestParseAnswers_RefusesWhatIsNotWhole(t *testing.T) {
	s := newSandbox(t)
	q := &resource.Questions{Units: []string{"web.service"}}
	questions, err := encodeQuestions(q)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, err := s.run(probeScript, questions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseAnswers(q, []byte("Welcome!\n"+stdout)); err != nil {
		t.Errorf("a login shell that greets: %v", err)
	}
	for name, output := range map[string]string{
		"cut off":    strings.TrimSuffix(stdout, "== end\n"),
		"no script":  "sh: not found\n",
		"nothing":    "",
		"no units":   strings.Replace(stdout, "LoadState=loaded", "", 1),
		"bad record": strings.Replace(stdout, "== record\n", "== record\n{broken\n", 1),
		"newer":      strings.Replace(stdout, "== record\n", "== record\n{\"version\": 99}\n", 1),
	} {
		if name == "no units" {
			at := strings.Index(stdout, "== units")
			output = stdout[:at] + "== units\n" + stdout[strings.Index(stdout, "== sysctls"):]
			q = &resource.Questions{Units: []string{"web.service", "more.service"}}
		}
		if _, err := parseAnswers(q, []byte(output)); err == nil {
			t.Errorf("%s: accepted", name)
		}
		q = &resource.Questions{Units: []string{"web.service"}}
	}
}

func TestParseRecord_WithoutResourcesIsUsable(t *testing.T) {
	record, err := parseRecord(`{"version": 1, "resources": null}`)
	if err != nil || record.Resources == nil {
		t.Errorf("%+v, %v", record, err)
	}
}

func TestParsePackages_HeldOnesAreInstalled(t *testing.T) {
	facts := &resource.Facts{Packages: map[string]string{}}
	parsePackages(facts, []string{"ii one 1", "hi held 2", "rc removed 3", "un never 4"})
	if len(facts.Packages) != 2 || facts.Packages["held"] != "2" {
		t.Errorf("%v", facts.Packages)
	}
}

// A host may answer anything: that is an error, never a panic.
func FuzzParseAnswers(f *testing.F) {
	f.Add("== begin\n== host\nhostname x\n== files\n81a4 644 root root /etc/x\n== sums\n== programs\n== contents\n/etc/x eA==\n== units\nLoadState=loaded\n== sysctls\n== checks\nc 0 00\n== end\n")
	f.Add("== begin\n== stamps\na\n== programs\n1 2 /x\n== end\n")
	f.Fuzz(func(t *testing.T, output string) {
		q := &resource.Questions{Units: []string{"a.service"}, Sysctls: []string{"a.b"}}
		if observation, err := parseAnswers(q, []byte(output)); err == nil && (observation.Facts == nil || observation.Record == nil) {
			t.Error("neither facts nor an error")
		}
	})
}

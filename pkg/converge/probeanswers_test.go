package converge

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"provision/pkg/resource"
)

// dpkgStandIn knows packages in the states that dpkg-query(1) tells of.
const dpkgStandIn = `#!/bin/sh
echo "dpkg-query: no packages found matching missing" >&2
printf '%s\n' "ii  chrony 4.3-2" "hi  held 1.0" "rc  removed 1.0" "un  unknown " "iU  unpacked 1.0" "iF  broken 1.0"
exit 1
`

func TestProbeScript_PackageCountsWhenItsFilesAreThereAndConfigured(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/dpkg-query", dpkgStandIn)
	got := s.look(&resource.Questions{Packages: []string{"chrony", "held", "missing"}}).Facts.Packages
	if len(got) != 2 || got["chrony"] != "4.3-2" || got["held"] != "1.0" {
		t.Errorf("installed packages %v, want chrony and the held one", got)
	}
}

func TestProbeScript_LargeFileComesInPart(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		content := strings.Repeat("0123456789abcdef\n", 20<<10)
		s.write("large", content)
		path := s.path("large")
		fact := s.look(&resource.Questions{Files: []string{path}, Sums: []string{path}, Shown: map[string]string{path: ""}}).Facts.Files[path]
		if fact.Sum != resource.Sum([]byte(content)) || string(fact.Content) != content[:256<<10] {
			t.Errorf("sum %s, %d bytes", fact.Sum, len(fact.Content))
		}
	})
}

func TestProbeScript_CheckThatHangsFails(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	script := strings.Replace(probeScript, "timeout 10 ", "timeout 1 ", 1)
	q := &resource.Questions{Checks: []resource.Check{{Name: "hangs", Args: []string{"sleep", "60"}}, {Name: "next", Args: []string{"true"}}}}
	questions, err := encodeQuestions(q)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, err := s.run(script, questions)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := parseAnswers(q, []byte(stdout))
	if err != nil {
		t.Fatal(err)
	}
	if seen.Facts.Checks["hangs"].Status == 0 || seen.Facts.Checks["next"].Status != 0 {
		t.Errorf("checks %v", seen.Facts.Checks)
	}
}

func TestProbeScript_CheckGetsItsArgumentsAndNoInput(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		args := []string{"sh", "-c", `printf '%s|' "$@"; cat`, "sh", "", " a  b ", "$(touch pwned)", "-n", "== end", `back\slash`}
		got := s.look(&resource.Questions{Checks: []resource.Check{{Name: "echo", Args: args}}}).Facts.Checks["echo"]
		if got.Status != 0 || got.Sum != resource.Sum([]byte("| a  b |$(touch pwned)|-n|== end|back\\slash|\n")) {
			t.Errorf("%+v", got)
		}
		noLeftovers(t, s)
	})
}

// A question that did not arrive must not look like a file that isn't there.
func TestProbeScript_CutQuestionsGetNoWholeAnswer(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		q := &resource.Questions{
			Files: []string{s.root}, Units: []string{"web.service"},
			Checks: []resource.Check{{Name: "yes", Args: []string{"true"}}},
		}
		questions, err := encodeQuestions(q)
		if err != nil {
			t.Fatal(err)
		}
		for cut := 0; cut < len(questions); cut += 5 {
			stdout, stderr, err := s.run(probeScript, questions[:cut])
			if _, parseErr := parseAnswers(q, []byte(stdout)); parseErr == nil || err == nil || !strings.Contains(stderr, "was the connection cut?") {
				t.Fatalf("cut after %d of %d bytes: %v, %v, %q", cut, len(questions), err, parseErr, stderr)
			}
		}
	})
}

func TestEncodeQuestions_RefusesWhatIsNotOneLine(t *testing.T) {
	for name, q := range map[string]*resource.Questions{
		"two lines":        {Files: []string{"/etc/x\n/etc/y"}},
		"end of a section": {Packages: []string{"."}},
		"in a check":       {Checks: []resource.Check{{Name: "x", Args: []string{"sh", "-c", "a\nb"}}}},
		"a zero byte":      {Units: []string{"a\x00.service"}},
	} {
		if _, err := encodeQuestions(q); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// stampsHold leaves stamps as a power cut may: each named file with its content.
func (s *sandbox) stampsHold(stamps map[string]string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("home/stamps"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	for name, content := range stamps {
		s.write("home/stamps/"+name, content)
	}
}

// A power cut may leave a stamp empty or half. It says nothing then, and the
// others go on to say what they do.
func TestProbeScript_DamagedStampOnlyCostsItsOwnSum(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sum := resource.Sum([]byte("a program"))
	for _, name := range []string{"a", "b", "c"} {
		s.write("upload", "a program")
		s.mustApply(op("install", s.path(name), "0755", s.user, s.group, sum, s.path("upload"), name))
	}
	line, _, _ := strings.Cut(s.read("home/stamps/b"), "\n")
	for name, damaged := range map[string]string{"empty": "", "half": line + "\n", "half a line": line[:9], "half a sum": line + "\n" + sum[:9]} {
		s.stampsHold(map[string]string{"b": damaged})
		seen := s.look(&resource.Questions{Known: []string{s.path("a"), s.path("b"), s.path("c")}}).Facts.Files
		if seen[s.path("a")].Sum != sum || seen[s.path("c")].Sum != sum {
			t.Errorf("%s: a %q, c %q", name, seen[s.path("a")].Sum, seen[s.path("c")].Sum)
		}
		if got := seen[s.path("b")].Sum; got != sum && got != "" {
			t.Errorf("%s: b has the sum %q", name, got)
		}
	}
}

func TestProbeScript_ReplacedOrTouchedProgramIsHashedAgain(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	program, sum := s.path("program"), resource.Sum([]byte("a program"))
	s.write("upload", "a program")
	s.mustApply(op("install", program, "0755", s.user, s.group, sum, s.path("upload"), "program"))
	q := &resource.Questions{Files: []string{program}, Known: []string{program}}
	if err := os.Chtimes(program, now, now); err != nil {
		t.Fatal(err)
	}
	if got := s.look(q).Facts.Files[program].Sum; got != sum {
		t.Errorf("touched: %q", got)
	}
	s.write("other", "another")
	if err := os.Rename(s.path("other"), program); err != nil {
		t.Fatal(err)
	}
	if got := s.look(q).Facts.Files[program].Sum; got != resource.Sum([]byte("another")) {
		t.Errorf("replaced: %q", got)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.look(q).Facts.Files[program]; ok {
		t.Errorf("removed: %+v", got)
	}
}

func TestParseAnswers_UnitOfWhichNothingIsToldIsAnError(t *testing.T) {
	for _, units := range []string{"", "Result=success\n"} {
		answer := "== begin\n== units\n" + units + "== end\n"
		if _, err := parseAnswers(&resource.Questions{Units: []string{"web.service"}}, []byte(answer)); err == nil {
			t.Errorf("%q: accepted", units)
		}
	}
}

func TestParseAnswers_MalformedLinesAreErrors(t *testing.T) {
	for _, section := range []string{
		"files\n81a4 644 root", "files\nxyz 644 root root /x",
		"sums\nabc", "sums\nabc  /x",
		"programs\nno path",
		"contents\nnothing", "contents\n/x ***",
		"sysctls\n/proc/sys/not/asked:1",
		"checks\nname 0", "checks\nname zero 00",
		"units\nLoadState=loaded\n\nLoadState=loaded",
	} {
		answer := "== begin\n== " + section + "\n== end\n"
		if _, err := parseAnswers(&resource.Questions{Units: []string{"web.service"}}, []byte(answer)); err == nil {
			t.Errorf("%q: accepted", section)
		}
	}
}

func TestParseAnswers_ErrorShowsOnlyTheBeginningOfAnAnswer(t *testing.T) {
	_, err := parseAnswers(&resource.Questions{}, bytes.Repeat([]byte("x"), 1<<20))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("%.500v", err)
	}
}

func BenchmarkParseAnswers(b *testing.B) {
	s := newBenchmarkAnswers()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		if _, err := parseAnswers(&resource.Questions{}, s); err != nil {
			b.Fatal(err)
		}
	}
}

// newBenchmarkAnswers is what a host with 60 files and 10 programs answers.
func newBenchmarkAnswers() []byte {
	var out bytes.Buffer
	sum := strings.Repeat("a", 64)
	section := func(name, line string, count int) {
		out.WriteString("== " + name + "\n")
		for i := range count {
			out.WriteString(strings.ReplaceAll(line, "N", string(rune('a'+i%26))+string(rune('a'+i/26))) + "\n")
		}
	}
	section("begin", "", 0)
	section("files", "81a4 644 root root /etc/fileN", 60)
	section("sums", sum+"  /etc/fileN", 60)
	section("stamps", "1 2 2026-11-24 2026-11-24 /bin/N\n"+sum, 10)
	section("programs", "1 2 2026-11-24 2026-11-24 /bin/N", 10)
	section("contents", "/etc/fileN "+strings.Repeat("QUFB", 1000), 5)
	section("end", "", 0)
	return out.Bytes()
}

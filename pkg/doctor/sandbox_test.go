package doctor

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"provision/pkg/blueprint"
)

// sandbox runs doctor.sh with a /proc of its own, in one of the shells that a
// host may have.
type sandbox struct {
	t     *testing.T
	root  string
	shell []string
}

// eachShell runs a test with every shell that a host may have.
func eachShell(t *testing.T, test func(*testing.T, *sandbox)) {
	for name, shell := range map[string][]string{
		"dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "ash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skipf("%s is not installed here", shell[0])
			}
			test(t, &sandbox{t: t, root: t.TempDir(), shell: shell})
		})
	}
}

func (s *sandbox) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the script on questions and returns what it printed.
func (s *sandbox) run(required blueprint.Requirements) (stdout, stderr string, err error) {
	s.t.Helper()
	questions, err := encode(required)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.feed(questions)
}

func (s *sandbox) feed(questions []byte) (stdout, stderr string, err error) {
	s.t.Helper()
	if !strings.Contains(doctorScript, "\nproc=/proc\n") {
		s.t.Fatal("the script's constant has moved: the sandbox does not hold it")
	}
	script := strings.Replace(doctorScript, "\nproc=/proc\n", "\nproc="+filepath.Join(s.root, "proc")+"\n", 1)
	command := exec.Command(s.shell[0], append(append([]string{}, s.shell[1:]...), "-c", script)...)
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(questions), &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// look runs the script and reads its answers.
func (s *sandbox) look(required blueprint.Requirements) *Facts {
	s.t.Helper()
	stdout, stderr, err := s.run(required)
	if err != nil || stderr != "" {
		s.t.Fatal(err, stderr)
	}
	facts, err := parse([]byte(stdout))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, stdout)
	}
	return facts
}

package remote

import (
	"bytes"
	"io"
	"testing"
)

func TestStart_TellsTheCommandsWordsFromWhatCameBefore(t *testing.T) {
	for name, c := range map[string]struct {
		stderr  string
		want    string
		begun   bool
		process int
	}{
		"plain":             {"provision-begins 42\nerror\n", "error\n", true, 42},
		"greeting":          {"welcome\nprovision-begins 42\n", "", true, 42},
		"greeting, no line": {"welcome provision-begins 42\nx", "x", true, 42},
		"mark again":        {"provision-begins 42\nprovision-begins 7\n", "provision-begins 7\n", true, 42},
		"prompt again":      {"provision-begins 42\n" + sudoPrompt, sudoPrompt, true, 42},
		"never":             {"sudo: a password is required\n", "sudo: a password is required\n", false, 0},
		"prompt":            {sudoPrompt + "provision-begins 42\n", "", true, 42},
		"refused":           {sudoPrompt + "sorry\n" + sudoPrompt + "sudo: 1 incorrect password attempt\n", "sorry\nsudo: 1 incorrect password attempt\n", false, 0},
		"no number":         {"provision-begins x\ny", "y", true, 0},
		"init's":            {"provision-begins 1\n", "", true, 0},
		"negative":          {"provision-begins -42\n", "", true, 0},
	} {
		for _, size := range []int{1, 7, 1000} {
			var got bytes.Buffer
			out := &output{w: &got}
			s := newStart(out)
			for rest := []byte(c.stderr); len(rest) > 0; {
				n := min(size, len(rest))
				if wrote, err := s.Write(rest[:n]); wrote != n || err != nil {
					t.Fatalf("%s: wrote %d, %v", name, wrote, err)
				}
				rest = rest[n:]
			}
			s.finish()
			if got.String() != c.want || s.hasBegun() != c.begun || s.processID() != c.process {
				t.Errorf("%s in pieces of %d: got %q, %v, %d", name, size, &got, s.hasBegun(), s.processID())
			}
		}
	}
}

// Whether sudo reads a password is its own choice; the command must never get it as its input.
func TestStart_PasswordIsForSudoAlone(t *testing.T) {
	for name, c := range map[string]struct {
		stderr []string // each after what was sent before it
		want   []string
	}{
		"asked":        {[]string{sudoPrompt, "provision-begins 42\n"}, []string{"hunter2\n", "input"}},
		"not asked":    {[]string{"provision-begins 42\n"}, []string{"input"}},
		"refused":      {[]string{sudoPrompt, sudoPrompt}, []string{"hunter2\n", ""}},
		"never begins": {[]string{"no sudo here\n"}, []string{""}},
	} {
		p := newProcess(Command{Stdin: bytes.NewReader([]byte("input")), Privileged: true}, "admin", "hunter2")
		p.kill = func() {}
		reader, writer := io.Pipe()
		go p.feed(writer)
		for i, text := range c.stderr {
			_, _ = p.start.Write([]byte(text))
			if i == len(c.stderr)-1 {
				p.start.finish()
			}
			got := make([]byte, len(c.want[i]))
			if _, err := io.ReadFull(reader, got); err != nil || string(got) != c.want[i] {
				t.Errorf("%s: sent %q, want %q, %v", name, got, c.want[i], err)
			}
		}
		if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
			t.Errorf("%s: then sent %q, %v", name, rest, err)
		}
	}
}

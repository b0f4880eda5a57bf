package converge

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

//go:embed probe.sh
var probeScript string

// probe looks at a host once: one command answers every question.
func probe(ctx context.Context, host Connection, questions *resource.Questions) (Observation, error) {
	lines, err := encodeQuestions(questions)
	if err != nil {
		return Observation{}, err
	}
	result, err := host.Run(ctx, remote.Command{
		Args:       []string{"/bin/sh", "-c", probeScript},
		Name:       "probe",
		Stdin:      bytes.NewReader(lines),
		Privileged: true,
	})
	if err != nil {
		return Observation{}, fmt.Errorf("look at the host: %w", err)
	}
	return parseAnswers(questions, result.Stdout)
}

// encodeQuestions writes the sections that probe.sh reads, in its order. Each
// question is one line, and a dot ends a section.
func encodeQuestions(q *resource.Questions) ([]byte, error) {
	var out bytes.Buffer
	var err error
	section := func(lines []string) {
		for _, line := range lines {
			if line == "." || !oneLine(line) {
				err = fmt.Errorf("look at the host: %q can't be asked, it is not one line", line)
			}
			out.WriteString(line)
			out.WriteByte('\n')
		}
		out.WriteString(".\n")
	}
	section(q.Files)
	section(q.Sums)
	section(q.Known)
	section(shownLines(q))
	section(q.Units)
	section(sysctlPaths(q))
	section(q.Packages)
	var checks []string
	for _, check := range q.Checks {
		checks = append(checks, check.Name, strconv.Itoa(len(check.Args)))
		checks = append(checks, check.Args...)
	}
	section(checks)
	return out.Bytes(), err
}

// oneLine tells whether a text can travel as a line of what a script reads.
func oneLine(text string) bool { return !strings.ContainsAny(text, "\n\x00") }

// shownLines are in the form of sha256sum(1), so that the script can look for
// them in what that printed. No file has the sum "-".
func shownLines(q *resource.Questions) []string {
	var lines []string
	for _, path := range q.Sums {
		expected, shown := q.Shown[path]
		if !shown {
			continue
		}
		if expected == "" {
			expected = "-"
		}
		lines = append(lines, expected+"  "+path)
	}
	return lines
}

func sysctlPaths(q *resource.Questions) []string {
	paths := make([]string, len(q.Sysctls))
	for i, key := range q.Sysctls {
		paths[i] = resource.SysctlPath(key)
	}
	return paths
}

// sections splits the script's output at its headings. What a login shell
// printed before the first heading is dropped; an output that was cut off is an
// error.
func sections(output []byte) (map[string][]string, error) {
	_, body, found := strings.Cut("\n"+string(output), "\n== begin\n")
	if !found {
		return nil, fmt.Errorf("the host did not answer as expected; it printed %q", excerpt(output))
	}
	found = false
	parts := map[string][]string{}
	var name string
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if heading, ok := strings.CutPrefix(line, "== "); ok {
			name = heading
			found = found || name == "end"
			continue
		}
		if line != "" || name == "units" {
			parts[name] = append(parts[name], line)
		}
	}
	if !found {
		return nil, fmt.Errorf("the host's answer was cut off after %d bytes", len(output))
	}
	return parts, nil
}

// excerpt is the beginning of an output, for an error.
func excerpt(output []byte) string {
	const most = 200
	if len(output) > most {
		return string(output[:most]) + "…"
	}
	return string(output)
}

package report

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with testdata/NAME.golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./pkg/report -update writes it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; read it, then go test ./pkg/report -update\n--- got\n%s--- want\n%s", path, got, want)
	}
}

// goldenStyles compares what a writer function writes in every style.
func goldenStyles(t *testing.T, name string, write func(io.Writer, Style)) {
	t.Helper()
	for variant, style := range map[string]Style{
		"80":        {Width: 80},
		"120":       {Width: 120},
		"80-colour": {Width: 80, Colour: true},
		"piped":     {},
	} {
		t.Run(variant, func(t *testing.T) {
			var out bytes.Buffer
			write(&out, style)
			golden(t, name+"-"+variant, out.Bytes())
		})
	}
}

// text is what a writer function writes in one style.
func text(style Style, write func(io.Writer, Style)) string {
	var out bytes.Buffer
	write(&out, style)
	return out.String()
}

func TestText_Golden(t *testing.T) {
	for name, write := range map[string]func(io.Writer, Style){
		"plan-first":   func(w io.Writer, s Style) { WritePlan(w, firstInstall(), s, PlanOptions{}) },
		"plan-verbose": func(w io.Writer, s Style) { WritePlan(w, firstInstall(), s, PlanOptions{Verbose: true}) },
		"plan-drift": func(w io.Writer, s Style) {
			WritePlan(w, unreachable(secondRun("slave1", "slave2"), "slave8", "slave9"), s, PlanOptions{})
		},
		"plan-200":       func(w io.Writer, s Style) { WritePlan(w, secondRun(slaves(200)...), s, PlanOptions{}) },
		"outcome":        func(w io.Writer, s Style) { WriteOutcome(w, &Account{Applied: ended(slaves(7))}, s) },
		"outcome-200":    func(w io.Writer, s Style) { WriteOutcome(w, &Account{Applied: ended(slaves(200))}, s) },
		"timings":        func(w io.Writer, s Style) { WriteTimings(w, ended(slaves(7)), s) },
		"checks":         func(w io.Writer, s Style) { WriteChecks(w, verified(slaves(2), false), s) },
		"checks-failing": func(w io.Writer, s Style) { WriteChecks(w, verified(slaves(5), true), s) },
		"errors":         func(w io.Writer, s Style) { Errors(w, tree(), s) },
	} {
		t.Run(name, func(t *testing.T) { goldenStyles(t, name, write) })
	}
}

// TestText_FitsWidth allows only what can't be broken to be wider.
func TestText_FitsWidth(t *testing.T) {
	for _, width := range []int{60, 80, 120} {
		for name, write := range map[string]func(io.Writer, Style){
			"plan":    func(w io.Writer, s Style) { WritePlan(w, secondRun(slaves(9)...), s, PlanOptions{}) },
			"outcome": func(w io.Writer, s Style) { WriteOutcome(w, &Account{Applied: ended(slaves(40))}, s) },
			"timings": func(w io.Writer, s Style) { WriteTimings(w, ended(slaves(40)), s) },
			"checks":  func(w io.Writer, s Style) { WriteChecks(w, verified(slaves(9), true), s) },
			"errors":  func(w io.Writer, s Style) { Errors(w, tree(), s) },
		} {
			t.Run(fmt.Sprintf("%s-%d", name, width), func(t *testing.T) {
				for line := range bytes.Lines([]byte(text(Style{Width: width}, write))) {
					if n := columns(string(bytes.TrimSuffix(line, []byte("\n")))); n > width {
						t.Errorf("line has %d columns: %s", n, line)
					}
				}
			})
		}
	}
}

package sums

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestWrite_IsSortedAndInSha256sumFormat(t *testing.T) {
	var out strings.Builder
	if err := Write(&out, map[string]string{"b": emptySum, "a": emptySum}); err != nil {
		t.Fatal(err)
	}
	if want := emptySum + "  a\n" + emptySum + "  b\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestWrite_RefusesNamesThatWouldNeedEscaping(t *testing.T) {
	for _, name := range []string{"", "a/b", "a\nb", `a\b`} {
		if err := Write(&strings.Builder{}, map[string]string{name: emptySum}); err == nil {
			t.Errorf("name %q was written", name)
		}
	}
}

func TestParse_ReadsTextAndBinaryMarks(t *testing.T) {
	got, err := Parse(strings.NewReader(emptySum + "  a\n" + emptySum + " *b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got["a"] != emptySum || got["b"] != emptySum || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestParse_RefusesOtherLines(t *testing.T) {
	for _, line := range []string{"x", "abcd  a", emptySum, emptySum + " ", strings.Repeat("z", 64) + "  a"} {
		if _, err := Parse(strings.NewReader(line)); err == nil {
			t.Errorf("line %q was parsed", line)
		}
	}
}

func TestVerify_NamesWhatIsMissingOrDiffers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good", "")
	write(t, dir, "changed", "x")
	err := Verify(context.Background(), dir, map[string]string{"good": emptySum, "changed": emptySum, "missing": emptySum})
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) || !slices.Equal(mismatch.Names, []string{"changed", "missing"}) {
		t.Errorf("got %v", err)
	}
	if err := Verify(context.Background(), dir, map[string]string{"good": emptySum}); err != nil {
		t.Error(err)
	}
}

func TestVerify_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Verify(ctx, t.TempDir(), map[string]string{"a": emptySum}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWrite_IsWhatSha256sumChecks(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum here")
	}
	dir := t.TempDir()
	write(t, dir, "a file", "text")
	sum, err := File(filepath.Join(dir, "a file"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Write(&out, map[string]string{"a file": sum}); err != nil {
		t.Fatal(err)
	}
	write(t, dir, FileName, out.String())
	cmd := exec.Command("sha256sum", "--strict", "-c", FileName)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

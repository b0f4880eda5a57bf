package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"provision/pkg/inventory"
)

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// place is a directory with these files and their sums.
func place(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	var sums strings.Builder
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
		sums.WriteString(sumOf(content) + "  " + name + "\n")
	}
	put(t, filepath.Join(dir, SumsFile), sums.String())
	return dir
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, from inventory.Artifacts) *Store {
	t.Helper()
	store, err := New(t.Context(), from, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// read is the whole content of an artifact.
func read(t *testing.T, store *Store, name, sum string) (string, error) {
	t.Helper()
	content, size, err := store.Open(t.Context(), name, sum)
	if err != nil {
		return "", err
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err == nil && size != int64(len(text)) {
		t.Errorf("%s has %d bytes, but %d were promised", name, len(text), size)
	}
	return string(text), err
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one that contains %s", err, want)
	}
}

func TestParseSums_AsSha256sumPrintsThem(t *testing.T) {
	a, b := sumOf("a"), sumOf("b")
	got, err := parseSums([]byte(a + "  kubelet\n\n" + b + " *kube proxy\r\n" + a + "  kubelet\n"))
	if want := (map[string]string{"kubelet": a, "kube proxy": b}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseSums_MistakesAreNamedByLine(t *testing.T) {
	good := sumOf("a") + "  a\n"
	for text, want := range map[string]string{
		"kubelet\n":                                "line 1: want a SHA-256, two spaces and a file name, as sha256sum prints",
		good + "\n" + sumOf("b") + " b\n":          "line 3: want a SHA-256",
		good + sumOf("b")[1:] + "  b\n":            "line 2: want a SHA-256",
		strings.ToUpper(sumOf("b")) + "  b\n":      "line 1: want a SHA-256",
		good + sumOf("b") + "  bin/b\n":            "line 2: want a SHA-256",
		`\` + sumOf("b") + `  a\nb` + "\n":         "line 1: want a SHA-256",
		good + good + sumOf("b") + "  a\n":         "line 3: a has another sum on a line before",
		good + strings.Repeat("x", 100_000) + "\n": "token too long",
	} {
		_, err := parseSums([]byte(text))
		checkError(t, err, want)
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte(sumOf("a") + "  a\n"))
	f.Add([]byte(sumOf("a") + " *a b\r\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sums, err := parseSums(text)
		if err != nil {
			return
		}
		for name, sum := range sums {
			if len(sum) != 64 || name == "" || strings.ContainsAny(name, "/\\\n") {
				t.Errorf("%q has the sum %q", name, sum)
			}
		}
	})
}

func TestNew_ReadsTheSumsBesideTheArtifacts(t *testing.T) {
	store := open(t, inventory.Artifacts{
		Dir:  place(t, map[string]string{"etcd": "e", "kubelet": "k"}),
		Sums: map[string]string{"kubelet": sumOf("mine"), "extra": sumOf("x")},
	})
	if names := store.Names(); !slices.Equal(names, []string{"etcd", "extra", "kubelet"}) {
		t.Errorf("names are %v", names)
	}
	for name, want := range map[string]string{"etcd": sumOf("e"), "kubelet": sumOf("mine"), "extra": sumOf("x")} {
		if sum, err := store.Sum(name); err != nil || sum != want {
			t.Errorf("sum of %s is %s, %v", name, sum, err)
		}
	}
}

func TestSum_OfAnUnknownArtifactSaysWhereToListIt(t *testing.T) {
	dir := place(t, map[string]string{"etcd": "e"})
	_, err := open(t, inventory.Artifacts{Dir: dir}).Sum("kubelet")
	checkError(t, err, "artifact kubelet has no sum: list it in SHA256SUMS of "+dir+", or under artifacts.sums in the inventory")
}

func TestNew_SumsMayComeFromTheInventoryAlone(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "etcd"), "e")
	store := open(t, inventory.Artifacts{Dir: dir, Sums: map[string]string{"etcd": sumOf("e")}})
	if text, err := read(t, store, "etcd", sumOf("e")); err != nil || text != "e" {
		t.Errorf("content is %q, %v", text, err)
	}
}

func TestNew_Mistakes(t *testing.T) {
	empty, bad, folder := t.TempDir(), t.TempDir(), t.TempDir()
	put(t, filepath.Join(bad, SumsFile), "what\n")
	if err := os.Mkdir(filepath.Join(folder, SumsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		filepath.Join(empty, "gone"): "gone: no such file or directory; put the programs there",
		empty:                        "has no SHA256SUMS; make it with sha256sum",
		bad:                          "SHA256SUMS of " + bad + ": line 1: want a SHA-256",
		folder:                       "read SHA256SUMS of " + folder,
	} {
		_, err := New(t.Context(), inventory.Artifacts{Dir: dir}, t.TempDir())
		checkError(t, err, want)
	}
}

func TestOpen_AFileThatIsGone(t *testing.T) {
	dir := place(t, map[string]string{"etcd": "e"})
	store := open(t, inventory.Artifacts{Dir: dir})
	if err := os.Remove(filepath.Join(dir, "etcd")); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, store, "etcd", sumOf("e"))
	checkError(t, err, "open artifact etcd: ")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not about a file that isn't there", err)
	}
}

func TestOpen_ContentThatIsNotItsSumsFailsAtItsEnd(t *testing.T) {
	dir := place(t, map[string]string{"etcd": "what it was"})
	store := open(t, inventory.Artifacts{Dir: dir})
	put(t, filepath.Join(dir, "etcd"), "what it is")
	text, err := read(t, store, "etcd", sumOf("what it was"))
	checkError(t, err, "artifact etcd has the SHA-256 "+sumOf("what it is")+" instead of "+sumOf("what it was")+": it was changed since its sum was written, or damaged")
	if text != "what it is" {
		t.Errorf("read %q before", text)
	}
}

// However the content comes in, nobody sees an end that was not checked.
func TestChecked_AnyReader(t *testing.T) {
	const content = "some content"
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "data with its end": iotest.DataErrReader,
	} {
		good := newChecked(io.NopCloser(wrap(strings.NewReader(content))), "a", sumOf(content))
		if text, err := io.ReadAll(good); err != nil || string(text) != content {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		bad := newChecked(io.NopCloser(wrap(strings.NewReader(content))), "a", sumOf("other"))
		if _, err := io.ReadAll(bad); err == nil {
			t.Errorf("%s: a wrong content is accepted", name)
		}
		if _, err := bad.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: reading again ends with %v", name, err)
		}
	}
	broken := newChecked(io.NopCloser(iotest.ErrReader(context.Canceled)), "a", sumOf(""))
	if _, err := io.ReadAll(broken); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

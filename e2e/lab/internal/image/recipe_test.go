package image

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestAptOptions_OnlyWhatReachingTheSourcesTakes(t *testing.T) {
	got := aptOptions("Acquire::http::Proxy \"http://proxy.example:3128\";\nAcquire::Check-Date \"false\";\nDPkg::Post-Invoke:: \"rm -f /x\";\n")
	if !slices.Contains(got, `Acquire::http::Proxy "http://proxy.example:3128";`) || !slices.Contains(got, `Acquire::Check-Date "false";`) {
		t.Fatalf("needed options are lost: %q", got)
	}
	if slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "rm -f") }) {
		t.Fatalf("the machine's hooks do not belong into a host: %q", got)
	}
}

func TestRecipeHash_ChangesWithWhatIsInside(t *testing.T) {
	base := Recipe{Flavour: Debian, Packages: []string{"systemd"}, Files: map[string]string{"a": "1", "b": "2"}}
	same := Recipe{Flavour: Debian, Packages: []string{"systemd"}, Files: map[string]string{"b": "2", "a": "1"}}
	if base.Hash() != same.Hash() {
		t.Fatal("equal recipes must share an image")
	}
	for name, other := range map[string]Recipe{
		"package": {Flavour: Debian, Packages: []string{"systemd", "curl"}, Files: base.Files},
		"file":    {Flavour: Debian, Packages: base.Packages, Files: map[string]string{"a": "1", "b": "3"}},
		"week":    {Flavour: Debian, Packages: base.Packages, Files: base.Files, Week: "2026-31"},
	} {
		if other.Hash() == base.Hash() {
			t.Errorf("another %s must make another image", name)
		}
	}
}

func TestNewRecipe_LeanHasNoneOfTheComforts(t *testing.T) {
	recipe, err := NewRecipe(t.Context(), Lean, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Skipf("not a machine with apt: %v", err)
	}
	for _, comfort := range []string{"sudo", "curl", "python3", "perl", "containerd", "chrony"} {
		if slices.Contains(recipe.Packages, comfort) {
			t.Errorf("lean must not have %s", comfort)
		}
	}
	if recipe.Week != "2026-27" {
		t.Errorf("got week %q", recipe.Week)
	}
}

func TestNewRecipe_UnknownFlavourNamesTheKnown(t *testing.T) {
	_, err := NewRecipe(t.Context(), "fedora", time.Time{})
	if err == nil || !strings.Contains(err.Error(), "debian and lean") {
		t.Fatalf("got %v", err)
	}
}

func TestReadAll_MissingDirectoryHasNoFiles(t *testing.T) {
	files, err := readAll(fstest.MapFS{}, "*.crt")
	if err != nil || len(files) != 0 {
		t.Fatalf("got %v, %v", files, err)
	}
}

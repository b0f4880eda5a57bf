package inventory

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestDocs_SSHHasEveryOption(t *testing.T) {
	text, err := os.ReadFile("../../docs/ssh.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fieldsOf(reflect.TypeFor[SSH]()) {
		if !strings.Contains(string(text), "\n| `"+f.key+"` |") {
			t.Errorf("docs/ssh.md has no row for %s", f.key)
		}
	}
}

package inventory

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse_BytesThatAreNoTextAreReported(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "f:1:1: .: the file is empty; start from inventory.example.yaml"},
		{"comments", "# a\n\n# b\n", "f:1:1: .: the file is empty; start from inventory.example.yaml"},
		{"only a document mark", "---\n", "f:1:1: .: the file is empty; start from inventory.example.yaml"},
		{"null", "~\n", "f:1:1: .: the file is empty; start from inventory.example.yaml"},
		{"UTF-16", "\xff\xfea\x00:\x00", "f:1:1: .: the file is not UTF-8 text; save it as UTF-8"},
		{"Latin-1", "cluster: é\nverify: \xe9\n", "f:2:9: .: the file is not UTF-8 text; save it as UTF-8"},
		{"NUL", "cluster: a\nver\x00ify: 1\n", "f:2:4: .: this is not YAML: control characters are not allowed; check indentation, brackets and quotes just before this"},
		{"a number", "5\n", "f:1:1: .: must be a mapping, not the number 5; write its keys, indented: cluster, master, slaves, registry, ssh, kubernetes, network, services, dns, time, artifacts, components, verify"},
		{"a list", "- a\n", "f:1:1: .: must be a mapping, not a list; write its keys, indented: cluster, master, slaves, registry, ssh, kubernetes, network, services, dns, time, artifacts, components, verify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestParse_ByteOrderMarkIsNoMistake(t *testing.T) {
	if _, err := Parse("f", append([]byte("\ufeff"), withRequired("cluster: a\n")...)); err != nil {
		t.Error(err)
	}
}

func TestParse_AFileThatIsTooLargeIsNotRead(t *testing.T) {
	_, err := Parse("f", make([]byte, maxBytes+1))
	if err == nil || !strings.Contains(err.Error(), "f:1:1: .: the file has more than 2097152 bytes") {
		t.Errorf("error is %v", err)
	}
}

// bomb is a text whose aliases stand for 10^n values.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("components:\n  kubelet:\n    config:\n      a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "      a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b.String()
}

func TestParse_AliasBombIsRefused(t *testing.T) {
	_, err := Parse("f", withRequired(bomb(12)))
	if err == nil || strings.Count(err.Error(), "\n") != 0 ||
		!strings.HasSuffix(err.Error(), ": the file has more than 200000 values, aliases resolved; use fewer aliases") {
		t.Errorf("error is %.200v", err)
	}
}

func TestParse_FewAliasesAreFine(t *testing.T) {
	if _, err := Parse("f", withRequired(bomb(3))); err != nil {
		t.Error(err)
	}
}

func TestParse_NestingIsBounded(t *testing.T) {
	nested := func(n int) string {
		return "components: {kubelet: {config: {a: " + strings.Repeat("[", n) + strings.Repeat("]", n) + "}}}\n"
	}
	if _, err := Parse("f", withRequired(nested(50))); err != nil {
		t.Error(err)
	}
	for _, n := range []int{100, 9000, 100_000} {
		if _, err := Parse("f", withRequired(nested(n))); err == nil {
			t.Errorf("a nesting of %d is accepted", n)
		} else {
			checkPositions(t, err, []byte(nested(n)))
		}
	}
	_, err := Parse("f", withRequired(nested(100)))
	if err == nil || !strings.Contains(err.Error(), "values are nested more than 64 deep; nest them less") {
		t.Errorf("error is %v", err)
	}
}

func TestParse_ManyHostsAreRead(t *testing.T) {
	var b strings.Builder
	b.WriteString("network: {podCIDR: 100.64.0.0/10, flannel: {subnetLength: 26}}\nmaster: 10.1.0.1\nregistry: 10.1.0.2\nslaves:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  - {name: node-%d, address: 10.2.%d.%d}\n", i, i/250, i%250+1)
	}
	inv, err := Parse("f", withRequired(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(inv.Slaves); n != 5000 {
		t.Errorf("%d slaves", n)
	}
}

func TestParse_ManyMistakesAreAllReported(t *testing.T) {
	text := "network: {podCIDR: 100.64.0.0/10}\nslaves:\n" + strings.Repeat("  - {adress: 10.25.31.45}\n", maxErrors)
	_, err := Parse("f", withRequired(text))
	if n := strings.Count(err.Error(), "\n") + 1; n != maxErrors {
		t.Errorf("%d errors", n)
	}
}

func TestParse_MoreMistakesThanAnyoneReadsAreCounted(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "key-%d: 1\n", i)
	}
	_, err := Parse("f", withRequired(b.String()))
	checkPositions(t, err, []byte(b.String()))
	lines := strings.Split(err.Error(), "\n")
	if last := lines[len(lines)-1]; len(lines) != maxErrors+1 || last != "f:1000:1: .: 4000 more mistakes are not shown; correct these first" {
		t.Errorf("%d errors; the last is %s", len(lines), last)
	}
}

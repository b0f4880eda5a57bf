package inventory

import (
	"fmt"
	"reflect"
	"strings"
)

const referenceHead = `<!-- Generated from pkg/inventory by "go generate ./pkg/inventory"; do not edit. -->

# The inventory

One YAML file describes one cluster. [inventory.example.yaml](../inventory.example.yaml) has every key with its
explanation; ` + "`provision inventory validate -i FILE`" + ` checks a file without touching a host.

- Every mistake is reported as ` + "`file:line:column: key: what is wrong; what to write instead`" + `, all of them at once.
- A key without a value (null) is one that is not given.
- Anchors, aliases and merge keys (` + "`<<`" + `) work. Tags (` + "`!x`" + `) and a second document do not.
- No text may hold line breaks or other unprintable characters.
`

// Reference is the reference of the inventory file in Markdown: a table for
// each mapping, made from the types, their tags and their doc comments.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range sections() {
		s.write(&b)
	}
	return []byte(b.String())
}

// section is a mapping's part of the reference.
type section struct {
	path string
	typ  reflect.Type
}

// sections lists every mapping once, those nearer to the root first.
func sections() []section {
	all := []section{{typ: reflect.TypeFor[Inventory]()}}
	done := map[reflect.Type]bool{}
	for i := 0; i < len(all); i++ {
		for _, f := range fieldsOf(all[i].typ) {
			if t := mappingOf(f.typ); t != nil && !done[t] {
				done[t] = true
				all = append(all, section{sectionPath(all[i].path, f), t})
			}
		}
	}
	return all
}

// sectionPath names a mapping. Hosts and components stand in several places.
func sectionPath(path string, f field) string {
	switch mappingOf(f.typ) {
	case reflect.TypeFor[Host]():
		return "master, slaves"
	case reflect.TypeFor[Component]():
		return "components.NAME"
	}
	return join(path, f.key)
}

func (s section) write(b *strings.Builder) {
	title := "`" + s.path + "`"
	if s.path == "" {
		title = "The file"
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", title, describeType(s.typ))
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, f := range fieldsOf(s.typ) {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.key, typeCell(f), defaultCell(f), cell(describeField(f)))
	}
}

// anchor is the target that Markdown makes of a section's title.
func anchor(t reflect.Type) string {
	for _, s := range sections() {
		if s.typ == t {
			return "#" + strings.NewReplacer(".", "", ",", "", " ", "-").Replace(strings.ToLower(s.path))
		}
	}
	return ""
}

func typeCell(f field) string {
	if text, ok := textTypeOf(f.typ); ok {
		return text.short
	}
	if allowed := f.enum(); allowed != nil {
		return "`" + strings.Join(allowed, "`, `") + "`"
	}
	if t := mappingOf(f.typ); t != nil {
		return mappingCell(f.typ, t)
	}
	switch f.typ.Kind() {
	case reflect.Slice:
		return "list of texts"
	case reflect.Map:
		return "mapping, keys of your choice"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	}
	low, high := f.bounds(f.typ)
	return fmt.Sprintf("%d to %d", low, high)
}

// mappingCell links to a mapping's section.
func mappingCell(t, mapping reflect.Type) string {
	link := "(" + anchor(mapping) + ")"
	switch _, short := scalarField(mapping); {
	case t.Kind() == reflect.Slice:
		return "[host]" + link + " or list of hosts"
	case short:
		return "[host]" + link
	}
	return "[mapping]" + link
}

func defaultCell(f field) string {
	switch {
	case f.required():
		return "**required**"
	case f.tag.Get("inherit") != "":
		return "the inventory's `" + f.tag.Get("inherit") + "`"
	case f.tag.Get("default") != "":
		return "`" + f.tag.Get("default") + "`"
	}
	return ""
}

// cell escapes what ends a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

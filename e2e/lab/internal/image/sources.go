package image

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// source is one place to get packages from, as apt is told of it.
type source struct {
	uris, suites, components []string
	signedBy                 string
}

// machineSources returns as source lines those of the machine's sources from which Debian's own packages for the suite come,
// or Debian's if it has none. Etc is /etc/apt. Asking apt itself would take half a second, as it reads all its lists for that.
func machineSources(etc fs.FS) ([]string, error) {
	var lines []string
	for _, pattern := range []string{"sources.list", "sources.list.d/*"} {
		files, err := readAll(etc, pattern)
		if err != nil {
			return nil, err
		}
		for name, text := range files {
			parse := parseStanzas
			if strings.HasSuffix(name, ".list") {
				parse = parseLines
			}
			for _, found := range parse(text) {
				lines = append(lines, found.debian()...)
			}
		}
	}
	if len(lines) == 0 {
		own := source{uris: []string{"http://deb.debian.org/debian"}, suites: []string{Suite, Suite + "-updates"}, components: []string{"main"}}
		security := source{uris: []string{"http://deb.debian.org/debian-security"}, suites: []string{Suite + "-security"}, components: []string{"main"}}
		lines = append(own.debian(), security.debian()...)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// debian returns the source lines that are Debian's own. Others name their suites as they like, Debian's name among them, but
// they sign with keys of their own.
func (s source) debian() []string {
	if !slices.Contains(s.components, "main") || s.signedBy != "" && !strings.Contains(s.signedBy, "debian-archive") {
		return nil
	}
	var lines []string
	for _, suite := range s.suites {
		if suite == Suite || suite == Suite+"-updates" || suite == Suite+"-security" {
			for _, uri := range s.uris {
				lines = append(lines, fmt.Sprintf("deb %s %s main", strings.TrimSuffix(uri, "/"), suite))
			}
		}
	}
	return lines
}

// parseLines reads the format of sources.list: deb [options] uri suite components.
func parseLines(text string) []source {
	options := regexp.MustCompile(`\[[^]]*\]`)
	signedBy := regexp.MustCompile(`signed-by=([^] ]+)`)
	var sources []source
	for line := range strings.Lines(text) {
		fields := strings.Fields(options.ReplaceAllString(line, " "))
		if len(fields) < 4 || fields[0] != "deb" {
			continue
		}
		found := source{uris: fields[1:2], suites: fields[2:3], components: fields[3:]}
		if key := signedBy.FindStringSubmatch(line); key != nil {
			found.signedBy = key[1]
		}
		sources = append(sources, found)
	}
	return sources
}

// parseStanzas reads the format of *.sources: paragraphs of fields.
func parseStanzas(text string) []source {
	var sources []source
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		fields := map[string][]string{}
		name := ""
		for line := range strings.Lines(paragraph) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			value := line
			if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
				name, value, _ = strings.Cut(line, ":")
				name = strings.ToLower(name)
			}
			fields[name] = append(fields[name], strings.Fields(value)...)
		}
		if !slices.Contains(fields["types"], "deb") || slices.Contains(fields["enabled"], "no") {
			continue
		}
		sources = append(sources, source{
			uris: fields["uris"], suites: fields["suites"], components: fields["components"],
			signedBy: strings.Join(fields["signed-by"], " "),
		})
	}
	return sources
}

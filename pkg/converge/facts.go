package converge

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/pkg/resource"
)

// parseAnswers reads what probe.sh printed. Everything in it comes from the
// host and is data.
func parseAnswers(q *resource.Questions, output []byte) (Observation, error) {
	parts, err := sections(output)
	if err != nil {
		return Observation{}, err
	}
	facts := &resource.Facts{
		Filesystems: map[string]bool{},
		Files:       map[string]resource.FileFact{},
		Units:       map[string]resource.UnitFact{},
		Sysctls:     map[string]string{},
		Packages:    map[string]string{},
		Checks:      map[string]resource.CheckFact{},
	}
	parseHost(facts, parts["host"])
	err = errors.Join(
		parseFiles(facts, parts["files"]),
		parseSums(facts, parts["sums"]),
		parsePrograms(facts, parts["stamps"], parts["programs"]),
		parseContents(facts, parts["contents"]),
		parseUnits(facts, q.Units, parts["units"]),
		parseSysctls(facts, q.Sysctls, parts["sysctls"]),
		parseChecks(facts, parts["checks"]),
	)
	parsePackages(facts, parts["packages"])
	if err != nil {
		return Observation{}, fmt.Errorf("read the host's answer: %w", err)
	}
	record, err := parseRecord(strings.Join(parts["record"], "\n"))
	if err != nil {
		return Observation{}, err
	}
	sum, _, _ := strings.Cut(strings.Join(parts["record-sum"], ""), " ")
	return Observation{Facts: facts, Record: record, RecordSum: sum}, nil
}

func parseHost(facts *resource.Facts, lines []string) {
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "login":
			if len(facts.Logins) < mostLogins {
				facts.Logins = append(facts.Logins, strings.Join(strings.Fields(excerpt([]byte(value))), " "))
			}
		case "packages":
			facts.PackageTool = value
		case "filesystem":
			facts.Filesystems[value] = true
		}
	}
}

// mostLogins is how many probe.sh tells of.
const mostLogins = 3

// File types in st_mode (inode(7)).
const (
	typeMask      = 0o170000
	typeRegular   = 0o100000
	typeDirectory = 0o040000
	typeLink      = 0o120000
)

// parseFiles reads lines of stat's "%f %a %U %G %Z %n".
func parseFiles(facts *resource.Facts, lines []string) error {
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 6)
		if len(fields) != 6 {
			return fmt.Errorf("file %q", line)
		}
		raw, err := strconv.ParseUint(fields[0], 16, 32)
		changed, notTime := strconv.ParseInt(fields[4], 10, 64)
		if err = errors.Join(err, notTime); err != nil {
			return fmt.Errorf("file %q: %w", line, err)
		}
		fact := resource.FileFact{
			Type: "other", Mode: fmt.Sprintf("%04o", raw&0o7777), Owner: fields[2], Group: fields[3], Changed: time.Unix(changed, 0).UTC(),
		}
		switch raw & typeMask {
		case typeRegular:
			fact.Type = "file"
		case typeDirectory:
			fact.Type = "directory"
		case typeLink:
			fact.Type = "link"
		}
		facts.Files[fields[5]] = fact
	}
	return nil
}

// parseSums reads the lines of sha256sum(1).
func parseSums(facts *resource.Facts, lines []string) error {
	for _, line := range lines {
		sum, path, found := strings.Cut(line, "  ")
		if !found || !isSum(sum) {
			return fmt.Errorf("sum %q", line)
		}
		setSum(facts, path, sum)
	}
	return nil
}

// isSum tells whether a text is a SHA-256 in hex, as sha256sum(1) prints it.
func isSum(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

func setSum(facts *resource.Facts, path, sum string) {
	fact := facts.Files[path]
	fact.Sum = sum
	facts.Files[path] = fact
}

// parsePrograms finds each program's sum: after its line where the script had
// to compute it, else beside the same line among the stamps. A power cut may
// have left half a stamp: a program without a sum is one to install again.
func parsePrograms(facts *resource.Facts, stampLines, lines []string) error {
	stamps := map[string]string{}
	for i, sum := range stampLines {
		if i > 0 && isSum(sum) {
			stamps[stampLines[i-1]] = sum
		}
	}
	for i := 0; i < len(lines); i++ {
		at := strings.IndexByte(lines[i], '/')
		if at < 0 {
			return fmt.Errorf("program %q", lines[i])
		}
		path := lines[i][at:]
		sum := stamps[lines[i]]
		if i+1 < len(lines) && strings.HasSuffix(lines[i+1], "  "+path) {
			sum = strings.TrimSuffix(lines[i+1], "  "+path)
			i++
		}
		setSum(facts, path, sum)
	}
	return nil
}

// parseContents reads lines of a path and its base64 content.
func parseContents(facts *resource.Facts, lines []string) error {
	for _, line := range lines {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			return fmt.Errorf("content %q", excerpt([]byte(line)))
		}
		path := line[:at]
		content, err := base64.StdEncoding.DecodeString(line[at+1:])
		if err != nil {
			return fmt.Errorf("content of %s: %w", path, err)
		}
		fact := facts.Files[path]
		fact.Content, fact.Shown = content, true
		facts.Files[path] = fact
	}
	return nil
}

// parseUnits reads systemctl's blocks, one for each unit in the order asked: a
// unit's own name may be another, when it was asked for by an alias.
func parseUnits(facts *resource.Facts, units, lines []string) error {
	blocks := strings.Split(strings.Trim(strings.Join(lines, "\n"), "\n"), "\n\n")
	if len(units) > 0 && len(blocks) != len(units) {
		return fmt.Errorf("systemctl told of %d units instead of %d", len(blocks), len(units))
	}
	for i, unit := range units {
		properties := map[string]string{}
		for line := range strings.Lines(blocks[i]) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			properties[key] = value
		}
		if properties["LoadState"] == "" {
			return fmt.Errorf("systemctl told nothing of %s; does systemd run there?", unit)
		}
		facts.Units[unit] = resource.UnitFact{
			LoadState:     properties["LoadState"],
			ActiveState:   properties["ActiveState"],
			SubState:      properties["SubState"],
			UnitFileState: properties["UnitFileState"],
			Result:        properties["Result"],
			NeedReload:    properties["NeedDaemonReload"] == "yes",
		}
	}
	return nil
}

func parseSysctls(facts *resource.Facts, keys, lines []string) error {
	byPath := make(map[string]string, len(keys))
	for _, key := range keys {
		byPath[resource.SysctlPath(key)] = key
	}
	for _, line := range lines {
		path, value, _ := strings.Cut(line, ":")
		key, asked := byPath[path]
		if !asked {
			return fmt.Errorf("sysctl %q was not asked for", path)
		}
		facts.Sysctls[key] = value
	}
	return nil
}

// parsePackages reads lines of status, name and version; the status
// is what is wanted and what is there, as in "ii", or "hi" for a held package
// (dpkg-query(1)).
func parsePackages(facts *resource.Facts, lines []string) {
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) == 3 && len(fields[0]) == 2 && fields[0][1] == 'i' {
			facts.Packages[fields[1]] = fields[2]
		}
	}
}

func parseChecks(facts *resource.Facts, lines []string) error {
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return fmt.Errorf("check %q", line)
		}
		status, err := strconv.Atoi(fields[1])
		if err != nil {
			return fmt.Errorf("check %q: %w", line, err)
		}
		facts.Checks[fields[0]] = resource.CheckFact{Status: status, Sum: fields[2]}
	}
	return nil
}

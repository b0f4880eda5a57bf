package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// maxIncludes is how deep files may include each other, as in OpenSSH's readconf.c.
const maxIncludes = 16

// includeKeyword stands for Include while a file is parsed: the library reads included files itself, but does not tell
// their blocks, on which it depends whether they count.
const includeKeyword = "ProvisionInclude"

// readConfig reads a file with all that it includes; one that does not exist says nothing.
func readConfig(file, home string) (sshConfig, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ssh_config: %w", err)
	}
	reader := configReader{home: home, system: strings.HasPrefix(filepath.Clean(file), "/etc/ssh/")}
	return reader.parse(file, content, nil, 0)
}

type configReader struct {
	home   string
	system bool // relative names of included files start at /etc/ssh, not at ~/.ssh
}

func (r configReader) parse(file string, content []byte, conditions []*ssh_config.Host, depth int) (sshConfig, error) {
	if depth > maxIncludes {
		return nil, fmt.Errorf("read ssh_config %s: files include each other more than %d deep", file, maxIncludes)
	}
	parsed, err := ssh_config.DecodeBytes(prepare(content))
	if err != nil {
		return nil, fmt.Errorf("read ssh_config %s: %w; provision knows Host, Match all and Match host: name another file as ssh.config in the inventory, or write `config: none`", file, err)
	}
	var config sshConfig
	for _, block := range parsed.Hosts {
		under := append(slices.Clone(conditions), block)
		for _, node := range block.Nodes {
			setting, ok := node.(*ssh_config.KV)
			if !ok {
				continue
			}
			if setting.Key != includeKeyword {
				config = append(config, configBlock{under, []*ssh_config.KV{setting}})
				continue
			}
			included, err := r.include(strings.Fields(setting.Value), under, depth)
			if err != nil {
				return nil, err
			}
			config = append(config, included...)
		}
	}
	return config, nil
}

// include reads the files that patterns of an Include name, in their order.
func (r configReader) include(patterns []string, conditions []*ssh_config.Host, depth int) (sshConfig, error) {
	var config sshConfig
	for _, pattern := range patterns {
		pattern = expandHome(strings.Trim(pattern, `"`), r.home)
		switch {
		case filepath.IsAbs(pattern):
		case r.system:
			pattern = filepath.Join("/etc/ssh", pattern)
		default:
			pattern = filepath.Join(r.home, ".ssh", pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("read ssh_config: Include %s: %w", pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read ssh_config: %w", err)
			}
			blocks, err := r.parse(file, content, conditions, depth+1)
			if err != nil {
				return nil, err
			}
			config = append(config, blocks...)
		}
	}
	return config, nil
}

var (
	includeLine   = regexp.MustCompile(`(?i)^\s*include(\s*=\s*|\s+)`)
	hostLine      = regexp.MustCompile(`(?i)^\s*host(\s*=\s*|\s+)`)
	finalLine     = regexp.MustCompile(`(?i)^(\s*match(?:\s*=\s*|\s+))final\s+`)
	canonicalLine = regexp.MustCompile(`(?i)^\s*match(\s*=\s*|\s+)canonical\b`)
)

// prepare writes lines that the library does not know as ones that it does: names of hosts need no quotes; `Match final`,
// which Fedora and its kin ship, is for a second pass, and there is one here; `Match canonical` is for names that were
// made canonical, which none is.
func prepare(content []byte) []byte {
	var out strings.Builder
	for line := range strings.Lines(string(content)) {
		switch {
		case includeLine.MatchString(line):
			line = includeLine.ReplaceAllString(line, includeKeyword+" ")
		case hostLine.MatchString(line):
			line = strings.ReplaceAll(line, `"`, "")
		case canonicalLine.MatchString(line):
			line = "Host provision.invalid\n"
		default:
			line = finalLine.ReplaceAllString(line, "$1")
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

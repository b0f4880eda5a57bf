package nspawn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// borrowedFile keeps the machine's settings from before the first lab.
const borrowedFile = stateRoot + "/settings.json"

// needed returns the kernel settings that a lab raises for the whole machine, each with the least value that it needs.
func needed() map[string]int {
	return map[string]int{
		"net/ipv4/ip_forward": 1,
		// All hosts share the count of one user, root. A host's systemd, D-Bus and kubelet take about twenty; Linux grants 128.
		"fs/inotify/max_user_instances": 8192,
		"fs/inotify/max_user_watches":   524288,
	}
}

// borrowed returns the settings to be put back when no lab is up any more: those that a lab raises, and those that no
// container has to itself and a kubelet sets at its start.
func borrowed() []string {
	return append(slices.Sorted(maps.Keys(needed())),
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
}

func settingFile(key string) string { return filepath.Join("/proc/sys", key) }

func readSetting(key string) (string, error) {
	text, err := os.ReadFile(settingFile(key))
	if err != nil {
		return "", fmt.Errorf("read kernel setting: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func writeSetting(key, value string) error {
	if err := os.WriteFile(settingFile(key), []byte(value), 0o644); err != nil {
		return fmt.Errorf("write kernel setting: %w", err)
	}
	return nil
}

// borrowSettings notes the machine's settings, unless another lab did, and raises those that labs need.
func borrowSettings() error {
	noted, err := loadBorrowed()
	if err != nil {
		return err
	}
	for _, key := range borrowed() {
		if _, there := noted[key]; !there {
			if noted[key], err = readSetting(key); err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(noted)
	if err != nil {
		return fmt.Errorf("note the machine's settings: %w", err)
	}
	if err := replaceFile(borrowedFile, string(text), 0o600); err != nil {
		return err
	}
	for key, least := range needed() {
		now, err := readSetting(key)
		if err != nil {
			return err
		}
		if value, err := strconv.Atoi(now); err == nil && value >= least {
			continue
		}
		if err := writeSetting(key, strconv.Itoa(least)); err != nil {
			return err
		}
	}
	return nil
}

// returnSettings puts back what borrowSettings noted. A setting that already is as it was is not touched: writing
// forwarding alone would reset the settings of every link.
func returnSettings() error {
	noted, err := loadBorrowed()
	if err != nil {
		return err
	}
	for key, value := range noted {
		now, err := readSetting(key)
		if err == nil && now != value {
			err = writeSetting(key, value)
		}
		if err != nil {
			return err
		}
	}
	return removeFile(borrowedFile)
}

// loadBorrowed reads what was noted; nothing if nothing was.
func loadBorrowed() (map[string]string, error) {
	noted := map[string]string{}
	text, err := os.ReadFile(borrowedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return noted, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &noted)
	}
	if err != nil {
		return nil, fmt.Errorf("read the machine's settings as noted in %s: %w", borrowedFile, err)
	}
	return noted, nil
}

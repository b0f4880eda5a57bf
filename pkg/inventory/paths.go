package inventory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// resolvePaths makes the file names of the inventory absolute, or relative to
// the working directory when the inventory's own folder is.
func (inv *Inventory) resolvePaths(src *source, dir string) {
	resolve := func(path string, name *string) {
		resolved, err := resolvePath(dir, *name)
		if err != nil {
			src.report(src.place(path), path, err.Error(), "write an absolute path")
			return
		}
		*name = resolved
	}
	resolve("artifacts.dir", &inv.Artifacts.Dir)
	resolveSSH := func(path string, ssh *SSH) {
		resolve(path+".identityFile", &ssh.IdentityFile)
		resolve(path+".knownHosts", &ssh.KnownHosts)
		if ssh.Config != "none" {
			resolve(path+".config", &ssh.Config)
		}
	}
	resolveSSH("ssh", &inv.SSH)
	for _, h := range inv.places(src) {
		resolveSSH(h.path+".ssh", &h.SSH)
	}
}

// resolvePath expands ~/ and starts relative paths at dir; "" stays "".
func resolvePath(dir, name string) (string, error) {
	switch {
	case name == "":
		return "", nil
	case name == "~" || strings.HasPrefix(name, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("the home directory is not known: HOME is not set")
		}
		return filepath.Join(home, name[1:]), nil
	case name[0] == '~':
		return "", fmt.Errorf("%s names another user's home directory, which is not looked up", quote(name))
	case filepath.IsAbs(name):
		return filepath.Clean(name), nil
	}
	return filepath.Join(dir, name), nil
}

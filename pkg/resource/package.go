package resource

import (
	"fmt"
	"regexp"
)

// packagePattern fits Debian Policy 5.6.1 and RPM names.
var packagePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)

// Package is a package of the host's distribution, of any version.
type Package struct{ Name string }

// ID is the package's name.
func (p Package) ID() ID { return ID{"package", p.Name} }

// Validate checks the name.
func (p Package) Validate() error {
	if !packagePattern.MatchString(p.Name) {
		return fmt.Errorf("package %q: not a package name", p.Name)
	}
	return nil
}

// Digest covers the name.
func (p Package) Digest() string { return digest("package", p.Name) }

// Ask wants the installed version.
func (p Package) Ask(q *Questions) { q.Packages = append(q.Packages, p.Name) }

// Want is an installed package.
func (p Package) Want(View) State { return State{{"package", "installed"}} }

// Have tells whether the package is installed.
func (p Package) Have(v View) State {
	if _, ok := v.Facts.Packages[p.Name]; !ok {
		return nil
	}
	return p.Want(v)
}

// Bring installs the package with the host's package manager.
func (p Package) Bring(v View, _ Materials) (Operations, error) {
	if v.Facts.PackageTool == "" {
		return Operations{}, fmt.Errorf("%s: the host has none of apt-get, dnf, yum; install it by hand", p.ID())
	}
	op := Op{Verb: "package", Args: []string{v.Facts.PackageTool, p.Name}}
	return Operations{Ops: []Op{op}, Applied: p.Want(v)}, nil
}

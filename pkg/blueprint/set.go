// Package blueprint owns template sets: what a set's manifest means, which
// set fits a version, and how an inventory becomes the desired state of every
// host. What is Kubernetes in it stands in the sets, not here.
package blueprint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"gopkg.in/yaml.v3"

	"provision/pkg/inventory"
)

// manifestName is the file in a set's folder that declares its stages.
const manifestName = "blueprint.yaml"

// Set is a template set: a folder with a manifest and the templates it names.
type Set struct {
	Name string
	// From and To are the first and last MAJOR.MINOR that the set installs.
	From, To inventory.Version
	stages   []stage
	// requirements are what hosts must offer before a run.
	requirements []requirement
	sample       text
	// templates holds each *.tmpl file under its name.
	templates *template.Template
}

// manifest is the form of blueprint.yaml.
type manifest struct {
	Versions struct {
		From inventory.Version `yaml:"from"`
		To   inventory.Version `yaml:"to"`
	} `yaml:"versions"`
	// Verify says what the verification runs where the inventory does not.
	Verify struct {
		Image text `yaml:"image"`
	} `yaml:"verify"`
	Requirements []requirement `yaml:"requirements"`
	Stages       []stage       `yaml:"stages"`
}

// addition is the form of the files in blueprint.d: requirements, stages, and
// resources of stages that are there.
type addition struct {
	Requirements []requirement `yaml:"requirements"`
	Stages       []stage       `yaml:"stages"`
}

// stage is resources of all hosts that have one of its roles.
type stage struct {
	Name      string   `yaml:"name"`
	Roles     []string `yaml:"roles"`
	After     []string `yaml:"after"`
	Resources []entry  `yaml:"resources"`
}

// Select returns the set, of those in the folders of sets, that installs the
// version.
func Select(sets fs.FS, version inventory.Version) (*Set, error) {
	folders, err := fs.ReadDir(sets, ".")
	if err != nil {
		return nil, fmt.Errorf("list template sets: %w", err)
	}
	var known []string
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		set, err := readManifest(sets, folder.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if set.holds(version) {
			return set, set.parseTemplates(sets)
		}
		known = append(known, fmt.Sprintf("%s - %s", set.From, set.To))
	}
	return nil, fmt.Errorf("no template set installs Kubernetes %s; there are sets for %s", version, strings.Join(known, ", "))
}

func (s *Set) holds(version inventory.Version) bool {
	minor := inventory.Version{Major: version.Major, Minor: version.Minor}
	return s.From.Compare(minor) <= 0 && minor.Compare(s.To) <= 0
}

// readManifest reads a set's manifest and its additions.
func readManifest(sets fs.FS, folder string) (*Set, error) {
	var base manifest
	if err := decodeManifest(sets, path.Join(folder, manifestName), &base); err != nil {
		return nil, err
	}
	set := &Set{Name: folder, From: base.Versions.From, To: base.Versions.To, sample: base.Verify.Image, requirements: base.Requirements, stages: base.Stages}
	additions, err := fs.Glob(sets, path.Join(folder, "blueprint.d", "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list additions to template set %s: %w", folder, err)
	}
	for _, name := range additions {
		var more addition
		if err := decodeManifest(sets, name, &more); err != nil {
			return nil, err
		}
		set.requirements = append(set.requirements, more.Requirements...)
		if err := set.add(more.Stages); err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", name, err)
		}
	}
	if err := set.validate(); err != nil {
		return nil, fmt.Errorf("template set %s: %w", folder, err)
	}
	return set, nil
}

func decodeManifest(sets fs.FS, name string, into any) error {
	text, err := fs.ReadFile(sets, name)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	switch err := decoder.Decode(into); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("read manifest %s: it is empty", name)
	case err != nil:
		return fmt.Errorf("read manifest %s: %w", name, err)
	}
	return nil
}

// add puts resources before the first service of a stage that exists, so that
// what they are to a service is there when it starts, and appends other stages.
func (s *Set) add(additions []stage) error {
	for _, addition := range additions {
		known := s.stage(addition.Name)
		switch {
		case known == nil:
			s.stages = append(s.stages, addition)
			continue
		case len(addition.Roles)+len(addition.After) > 0:
			return fmt.Errorf("stage %s: it has its roles and its after in %s", addition.Name, manifestName)
		}
		at := slices.IndexFunc(known.Resources, func(e entry) bool { return e.Service != nil })
		if at < 0 {
			at = len(known.Resources)
		}
		known.Resources = slices.Insert(known.Resources, at, addition.Resources...)
	}
	return nil
}

func (s *Set) stage(name string) *stage {
	for i := range s.stages {
		if s.stages[i].Name == name {
			return &s.stages[i]
		}
	}
	return nil
}

// validate checks the order of stages: one can only come after an earlier one,
// so that hosts never wait for each other in a circle.
func (s *Set) validate() error {
	var errs []error
	if s.From == (inventory.Version{}) || s.From.Compare(s.To) > 0 {
		errs = append(errs, errors.New(`versions: want the first and the last, as in {from: "1.34", to: "1.37"}`))
	}
	for i, requirement := range s.requirements {
		if err := requirement.validate(); err != nil {
			errs = append(errs, fmt.Errorf("requirement %d: %w", i+1, err))
		}
	}
	seen := map[string]bool{}
	for _, stage := range s.stages {
		if stage.Name == "" || len(stage.Roles) == 0 {
			errs = append(errs, fmt.Errorf("stage %q: want a name and roles", stage.Name))
		}
		for _, name := range stage.After {
			if !seen[name] {
				errs = append(errs, fmt.Errorf("stage %s: after names %s, which does not stand before it", stage.Name, name))
			}
		}
		for _, role := range stage.Roles {
			if err := checkRole(role); err != nil {
				errs = append(errs, fmt.Errorf("stage %s: %w", stage.Name, err))
			}
		}
		if seen[stage.Name] {
			errs = append(errs, fmt.Errorf("stage %s: declared twice", stage.Name))
		}
		seen[stage.Name] = true
		for i, entry := range stage.Resources {
			if err := entry.validate(); err != nil {
				errs = append(errs, fmt.Errorf("stage %s, resource %d: %w", stage.Name, i+1, err))
			}
		}
	}
	return errors.Join(errs...)
}

func checkRole(role string) error {
	switch role {
	case inventory.RoleMaster, inventory.RoleSlave, inventory.RoleRegistry:
		return nil
	}
	return fmt.Errorf("unknown role %s", role)
}

func (s *Set) parseTemplates(sets fs.FS) error {
	names, err := fs.Glob(sets, path.Join(s.Name, "*.tmpl"))
	if err != nil {
		return fmt.Errorf("list templates of set %s: %w", s.Name, err)
	}
	s.templates = template.New(s.Name).Funcs(functions()).Option("missingkey=error")
	for _, name := range names {
		text, err := fs.ReadFile(sets, name)
		if err != nil {
			return fmt.Errorf("read template: %w", err)
		}
		if _, err := s.templates.New(path.Base(name)).Parse(string(text)); err != nil {
			return fmt.Errorf("parse template %s: %w", name, err)
		}
	}
	return nil
}

// functions are those of sprig whose result depends on their arguments alone,
// and the few that write what systemd reads.
func functions() template.FuncMap {
	all := sprig.HermeticTxtFuncMap()
	// What sprig forgets to call random or dependent on clock and time zone.
	for _, name := range []string{
		"ago", "toDate", "mustToDate", "mustDateModify", "must_date_modify", "shuffle",
		"bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genCAWithKey",
		"genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	} {
		delete(all, name)
	}
	all["sysconfig"] = sysconfig
	return all
}

// execute runs a template on a host's data.
func execute(t *template.Template, data *Data) (string, error) {
	var out strings.Builder
	if err := t.Execute(&out, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

package blueprint

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"provision/pkg/pki"
	"provision/pkg/resource"
)

// entry declares one resource: exactly one of its kinds is set. When, if given,
// must render to something else than "" or "false" for the resource to exist.
type entry struct {
	When        text              `yaml:"when"`
	Package     *packageEntry     `yaml:"package"`
	Module      *moduleEntry      `yaml:"module"`
	Sysctl      *sysctlEntry      `yaml:"sysctl"`
	Directory   *directoryEntry   `yaml:"directory"`
	File        *fileEntry        `yaml:"file"`
	Artifact    *artifactEntry    `yaml:"artifact"`
	Image       *imageEntry       `yaml:"image"`
	Command     *commandEntry     `yaml:"command"`
	Service     *serviceEntry     `yaml:"service"`
	Authority   *authorityEntry   `yaml:"authority"`
	Trust       *trustEntry       `yaml:"trust"`
	Certificate *certificateEntry `yaml:"certificate"`
}

// kind makes a resource of its declaration for one host.
type kind interface {
	resource(*renderer, *Set, Sums) (resource.Resource, error)
}

// kinds lists the kinds that are set.
func (e entry) kinds() []kind {
	var kinds []kind
	add := func(set bool, k kind) {
		if set {
			kinds = append(kinds, k)
		}
	}
	add(e.Package != nil, e.Package)
	add(e.Module != nil, e.Module)
	add(e.Sysctl != nil, e.Sysctl)
	add(e.Directory != nil, e.Directory)
	add(e.File != nil, e.File)
	add(e.Artifact != nil, e.Artifact)
	add(e.Image != nil, e.Image)
	add(e.Command != nil, e.Command)
	add(e.Service != nil, e.Service)
	add(e.Authority != nil, e.Authority)
	add(e.Trust != nil, e.Trust)
	add(e.Certificate != nil, e.Certificate)
	return kinds
}

func (e entry) validate() error {
	if count := len(e.kinds()); count != 1 {
		return fmt.Errorf("want exactly one kind of resource, not %d", count)
	}
	if e.File != nil && !slices.Contains([]string{"", formatYAML, formatTOML}, e.File.Format) {
		return fmt.Errorf("unknown format %q: want yaml or toml", e.File.Format)
	}
	return nil
}

// The formats that a file with a config can have.
const (
	formatYAML = "yaml"
	formatTOML = "toml"
)

type packageEntry struct {
	Name text `yaml:"name"`
}

func (e *packageEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Package{Name: r.text(e.Name)}, nil
}

type moduleEntry struct {
	Name     text `yaml:"name"`
	Evidence text `yaml:"evidence"`
}

func (e *moduleEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Module{Name: r.text(e.Name), Evidence: r.text(e.Evidence)}, nil
}

type sysctlEntry struct {
	Key   text `yaml:"key"`
	Value text `yaml:"value"`
}

func (e *sysctlEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Sysctl{Key: r.text(e.Key), Value: r.text(e.Value)}, nil
}

// attributes are the mode and owner of what lies in a file system.
type attributes struct {
	Mode  string `yaml:"mode"`
	Owner string `yaml:"owner"`
	Group string `yaml:"group"`
}

type directoryEntry struct {
	Path       text `yaml:"path"`
	attributes `yaml:",inline"`
}

func (e *directoryEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Directory{Path: r.text(e.Path), Attributes: resource.Attributes(e.attributes)}, nil
}

type fileEntry struct {
	Path       text   `yaml:"path"`
	Template   string `yaml:"template"`
	attributes `yaml:",inline"`
	Secret     bool `yaml:"secret"`
	Once       bool `yaml:"once"`
	// Merge names the component whose config is merged into what the template
	// yields, which is YAML; Format is what is written: "yaml" or "toml".
	Merge  string `yaml:"merge"`
	Format string `yaml:"format"`
	// Vars are values for a template that several files share.
	Vars map[string]string `yaml:"vars"`
}

func (e *fileEntry) resource(r *renderer, set *Set, _ Sums) (resource.Resource, error) {
	file := resource.File{Path: r.text(e.Path), Attributes: resource.Attributes(e.attributes), Secret: e.Secret, Once: e.Once}
	if r.err != nil {
		return nil, r.err
	}
	parsed := set.templates.Lookup(e.Template)
	if parsed == nil {
		return nil, fmt.Errorf("file %s: the set has no template %q", file.Path, e.Template)
	}
	content, err := execute(parsed, r.data.with(e.Vars))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", file.Path, err)
	}
	file.Content = []byte(content)
	if file.Content, err = e.merged(r.data, file.Content); err != nil {
		return nil, fmt.Errorf("file %s: %w", file.Path, err)
	}
	if resource.HasPlaceholder(file.Content) && !file.Once {
		return nil, fmt.Errorf("file %s: holds a secret made at random, so it must say once: true", file.Path)
	}
	return file, nil
}

// merged is the content with the component's config, in the file's format.
func (e *fileEntry) merged(data *Data, content []byte) ([]byte, error) {
	var config map[string]any
	var err error
	switch {
	case e.Merge == "" && e.Format == "":
		return content, nil
	case e.Merge != "":
		if config, err = data.config(e.Merge); err != nil {
			return nil, err
		}
	}
	return mergeConfig(content, config, e.Format)
}

type artifactEntry struct {
	Path       text   `yaml:"path"`
	Source     string `yaml:"source"`
	attributes `yaml:",inline"`
}

func (e *artifactEntry) resource(r *renderer, _ *Set, sums Sums) (resource.Resource, error) {
	sum, err := sums.Sum(e.Source)
	if err != nil {
		return nil, err
	}
	return resource.Artifact{Path: r.text(e.Path), Source: e.Source, Sum: sum, Attributes: resource.Attributes(e.attributes)}, nil
}

type imageEntry struct {
	Repository text   `yaml:"repository"`
	Tag        text   `yaml:"tag"`
	Source     string `yaml:"source"`
	Storage    text   `yaml:"storage"`
	Endpoint   text   `yaml:"endpoint"`
	Authority  string `yaml:"authority"`
}

func (e *imageEntry) resource(r *renderer, _ *Set, sums Sums) (resource.Resource, error) {
	sum, err := sums.Sum(e.Source)
	if err != nil {
		return nil, err
	}
	return resource.Image{
		Repository: r.text(e.Repository), Tag: r.text(e.Tag), Source: e.Source, Sum: sum,
		Storage: r.text(e.Storage), Endpoint: r.text(e.Endpoint), Authority: e.Authority,
	}, nil
}

type commandEntry struct {
	Name   string        `yaml:"name"`
	Check  []text        `yaml:"check"`
	Expect text          `yaml:"expect"`
	Do     []text        `yaml:"do"`
	Input  text          `yaml:"input"`
	Within time.Duration `yaml:"within"`
}

func (e *commandEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Command{
		Name: e.Name, Check: r.texts(e.Check), Expect: r.text(e.Expect),
		Do: r.texts(e.Do), Input: r.text(e.Input), Within: e.Within,
	}, nil
}

type serviceEntry struct {
	Unit    string `yaml:"unit"`
	Stopped bool   `yaml:"stopped"`
	// Uses are the names of resources (paths, for most) that the service reads
	// when it starts. Its own unit file is always one of them.
	Uses    []text `yaml:"uses"`
	Ready   []text `yaml:"ready"`
	Answers text   `yaml:"answers"`
	// Authority names who signed the certificate of an https endpoint.
	Authority string        `yaml:"authority"`
	Within    time.Duration `yaml:"within"`
	// Disturbs says what a restart costs those who use the service.
	Disturbs text `yaml:"disturbs"`
}

// resource leaves Uses and Inputs to be linked once all resources of the host
// are known.
func (e *serviceEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Service{
		Unit: e.Unit, Stopped: e.Stopped, Ready: r.texts(e.Ready), Answers: r.text(e.Answers), Authority: e.Authority, Within: e.Within,
		Disturbs: r.text(e.Disturbs),
	}, nil
}

type authorityEntry struct {
	Name       string `yaml:"name"`
	CommonName text   `yaml:"commonName"`
	Cert       text   `yaml:"cert"`
	Key        text   `yaml:"key"`
}

func (e *authorityEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Authority{Name: e.Name, CommonName: r.text(e.CommonName), CertPath: r.text(e.Cert), KeyPath: r.text(e.Key)}, nil
}

type trustEntry struct {
	Path       text   `yaml:"path"`
	Authority  string `yaml:"authority"`
	attributes `yaml:",inline"`
}

func (e *trustEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	return resource.Trust{Path: r.text(e.Path), Authority: e.Authority, Attributes: resource.Attributes(e.attributes)}, nil
}

type certificateEntry struct {
	Cert          text     `yaml:"cert"`
	Key           text     `yaml:"key"`
	Owner         string   `yaml:"owner"`
	Authority     string   `yaml:"authority"`
	CommonName    text     `yaml:"commonName"`
	Organizations []text   `yaml:"organizations"`
	Names         []text   `yaml:"names"`
	Addresses     []text   `yaml:"addresses"`
	Usages        []string `yaml:"usages"`
}

func (e *certificateEntry) resource(r *renderer, _ *Set, _ Sums) (resource.Resource, error) {
	request := pki.Request{CommonName: r.text(e.CommonName), Organizations: r.texts(e.Organizations)}
	// A host may go by its address, which is no DNS name.
	for _, name := range r.fields(e.Names) {
		if address, err := netip.ParseAddr(name); err == nil {
			request.IPAddresses = append(request.IPAddresses, address)
			continue
		}
		request.DNSNames = append(request.DNSNames, name)
	}
	var errs []error
	for _, text := range r.fields(e.Addresses) {
		address, err := netip.ParseAddr(text)
		errs = append(errs, err)
		request.IPAddresses = append(request.IPAddresses, address)
	}
	for _, usage := range e.Usages {
		request.Usages = append(request.Usages, pki.Usage(usage))
	}
	return resource.Certificate{
		CertPath: r.text(e.Cert), KeyPath: r.text(e.Key), Owner: e.Owner, Authority: e.Authority, Request: request,
	}, errors.Join(errs...)
}

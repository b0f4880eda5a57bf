package blueprint

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"provision/pkg/inventory"
)

// Data is what the templates of a host see.
type Data struct {
	// Inventory is the whole inventory.
	Inventory *inventory.Inventory
	// Host is the host that is rendered.
	Host inventory.RoleHost
	// components are those of the host, by their name in the inventory.
	components map[string]inventory.Component
	// Vars are those of the file that is rendered.
	Vars map[string]string
	sums Sums
	used map[string]bool
}

// newData gathers a host's data; used collects, over all hosts, the components
// whose config found a file.
func newData(inv *inventory.Inventory, host inventory.RoleHost, sums Sums, used map[string]bool) *Data {
	return &Data{Inventory: inv, Host: host, components: byName(inv.ComponentsOf(host.Host)), sums: sums, used: used}
}

// with is the same data with a file's own variables.
func (d *Data) with(vars map[string]string) *Data {
	data := *d
	data.Vars = vars
	return &data
}

// byName is the components by their names in the inventory.
func byName(components inventory.Components) map[string]inventory.Component {
	named := map[string]inventory.Component{}
	all := reflect.ValueOf(components)
	for i := range all.NumField() {
		name, _, _ := strings.Cut(all.Type().Field(i).Tag.Get("yaml"), ",")
		named[name], _ = all.Field(i).Interface().(inventory.Component)
	}
	return named
}

// Master is the first master.
func (d *Data) Master() inventory.Host { return d.Inventory.Master[0] }

// RegistryEndpoint is the registry's address:port.
func (d *Data) RegistryEndpoint() string {
	return fmt.Sprintf("%s:%d", d.Inventory.Registry.Address, d.Inventory.Registry.Port)
}

// HasRole tells whether the host has the role.
func (d *Data) HasRole(role string) bool { return d.Host.HasRole(role) }

// Flags starts the flags of a component on this host.
func (d *Data) Flags(component string) (*Flags, error) {
	settings, ok := d.components[component]
	if !ok {
		return nil, fmt.Errorf("no component %q", component)
	}
	d.used[component+".extraArgs"] = true
	return newFlags(settings.ExtraArgs), nil
}

// FlagsOf are the flags of a component on another host, to look a value up.
func (d *Data) FlagsOf(host inventory.Host, component string) (*Flags, error) {
	settings, ok := byName(d.Inventory.ComponentsOf(host))[component]
	if !ok {
		return nil, fmt.Errorf("no component %q", component)
	}
	return newFlags(settings.ExtraArgs), nil
}

// imageTagLength is how many hex digits of an image's sum make its tag.
const imageTagLength = 12

// ImageTag is the tag of an image that is an artifact: it changes with the
// artifact, so that no host runs an old image under a new name.
func (d *Data) ImageTag(source string) (string, error) {
	sum, err := d.sums.Sum(source)
	if err != nil {
		return "", err
	}
	return sum[:imageTagLength], nil
}

// config is the config of a component, to be merged into its file.
func (d *Data) config(component string) (map[string]any, error) {
	settings, ok := d.components[component]
	if !ok {
		return nil, fmt.Errorf("no component %q", component)
	}
	d.used[component+".config"] = true
	return settings.Config, nil
}

// unused reports settings of components that found no place on any host: the
// operator would wait for their effect in vain.
func unused(inv *inventory.Inventory, used map[string]bool) error {
	all := []inventory.Components{inv.Components}
	for _, host := range inv.Hosts() {
		all = append(all, host.Components)
	}
	found := map[string]bool{}
	for _, components := range all {
		for name, component := range byName(components) {
			if len(component.Config) > 0 && !used[name+".config"] {
				found[fmt.Sprintf("components.%s.config: %s has no configuration file in this template set; %s", name, name, instead(used, name, "extraArgs"))] = true
			}
			if len(component.ExtraArgs) > 0 && !used[name+".extraArgs"] {
				found[fmt.Sprintf("components.%s.extraArgs: %s takes no flags in this template set; %s", name, name, instead(used, name, "config"))] = true
			}
		}
	}
	var errs []error
	for _, message := range slices.Sorted(maps.Keys(found)) {
		errs = append(errs, errors.New(message))
	}
	return errors.Join(errs...)
}

// instead says which key of a component to use, or that none is.
func instead(used map[string]bool, component, key string) string {
	if used[component+"."+key] {
		return "use " + key
	}
	return "an overlay can change its files"
}

package blueprint

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"

	"provision/pkg/inventory"
)

// hostileInventory has every hostile value as a flag, and as a key and a value
// of a config, of every component that takes them. Much of that an inventory
// file can't hold; what is rendered does not rely on it.
func hostileInventory(t *testing.T) (*inventory.Inventory, map[string]any) {
	t.Helper()
	args, config := map[string]*string{}, map[string]any{}
	var list []any
	for i, value := range hostile() {
		args[fmt.Sprintf("hostile-%02d", i)] = &value
		if value == "\n" {
			continue // yaml.v3 writes a line end alone as nothing; an inventory can't hold one
		}
		config["key "+value] = map[string]any{"value": value}
		list = append(list, value)
	}
	config["list"] = list
	flags, both, file := inventory.Component{ExtraArgs: args}, inventory.Component{ExtraArgs: args, Config: config}, inventory.Component{Config: config}
	inv := parse(t, "")
	inv.Components = inventory.Components{
		Etcd: flags, APIServer: flags, ControllerManager: flags, Scheduler: flags, Flannel: flags,
		Kubelet: both, Proxy: both, Containerd: file, Registry: file,
	}
	return inv, config
}

func TestHostile_FlagsStayFlagsOfTheirVariable(t *testing.T) {
	inv, _ := hostileInventory(t)
	hosts := desired(t, modern(t), inv)
	for _, tt := range []struct{ host, path, variable string }{
		{"m", "/etc/kubernetes/apiserver", "KUBE_API_ARGS"},
		{"m", "/etc/kubernetes/controller-manager", "KUBE_CONTROLLER_MANAGER_ARGS"},
		{"m", "/etc/kubernetes/scheduler", "KUBE_SCHEDULER_ARGS"},
		{"s", "/etc/kubernetes/kubelet", "KUBELET_ARGS"},
		{"s", "/etc/kubernetes/proxy", "KUBE_PROXY_ARGS"},
		{"s", "/etc/sysconfig/flanneld", "FLANNEL_OPTIONS"},
	} {
		variables, err := environment(files(t, hosts, tt.host)[tt.path])
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		plain, err := environment(files(t, desired(t, modern(t), parse(t, "")), tt.host)[tt.path])
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(variables)), slices.Sorted(maps.Keys(plain))) {
			t.Errorf("%s has the variables %v, %v", tt.path, slices.Sorted(maps.Keys(variables)), err)
		}
		want := split(plain[tt.variable])
		for i, value := range hostile() {
			want = append(want, fmt.Sprintf("--hostile-%02d=%s", i, value))
		}
		if got := split(variables[tt.variable]); !slices.Equal(got, want) {
			t.Errorf("%s of %s is read as\n%q\nwant\n%q", tt.variable, tt.path, got, want)
		}
	}
}

func TestHostile_FlagsOfEtcdStayVariables(t *testing.T) {
	inv, _ := hostileInventory(t)
	variables, err := environment(files(t, desired(t, modern(t), inv), "m")["/etc/etcd/etcd.conf"])
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range hostile() {
		if got := variables[fmt.Sprintf("ETCD_HOSTILE_%02d", i)]; got != want {
			t.Errorf("%q is read as %q", want, got)
		}
	}
}

// A flag that a template has a variable of its own for stays one argument too.
func TestHostile_ATakenFlagIsOneArgument(t *testing.T) {
	set := selectSmall(t, onMaster("- file: {path: /a, template: a.tmpl}", map[string]string{
		"a": `A={{ (.Flags "apiserver").Take "bind-address" "0.0.0.0" | sysconfig }}` + "\n",
	}))
	for _, value := range hostile() {
		inv := parse(t, "")
		inv.Components.APIServer.ExtraArgs = map[string]*string{"bind-address": &value}
		variables, err := environment(files(t, desired(t, set, inv), "m")["/a"])
		if got := split(variables["A"]); err != nil || !slices.Equal(got, []string{"--bind-address=" + value}) {
			t.Errorf("%q is read as %q, %v", value, got, err)
		}
	}
}

func TestHostile_ConfigStaysValues(t *testing.T) {
	inv, want := hostileInventory(t)
	hosts := desired(t, modern(t), inv)
	for _, tt := range []struct {
		host, path string
		unmarshal  func([]byte, any) error
	}{
		{"s", "/etc/kubernetes/kubelet.yaml", yaml.Unmarshal},
		{"s", "/etc/kubernetes/proxy.yaml", yaml.Unmarshal},
		{"s", "/etc/containerd/config.toml", toml.Unmarshal},
		{"r", "/etc/registry/config.yml", yaml.Unmarshal},
	} {
		var got map[string]any
		if err := tt.unmarshal([]byte(files(t, hosts, tt.host)[tt.path]), &got); err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		for key, value := range want {
			if !reflect.DeepEqual(got[key], value) {
				t.Errorf("%s: %q is %q, want %q", tt.path, key, got[key], value)
			}
		}
		for key := range got {
			if _, ours := want[key]; !ours && strings.HasPrefix(key, "key ") {
				t.Errorf("%s: %q came from nowhere", tt.path, key)
			}
		}
	}
}

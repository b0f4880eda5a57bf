package inventory

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHosts_AreListedOnceWithTheirRoles(t *testing.T) {
	inv := parse(t, `
master: {name: a, address: 10.25.31.1}
slaves:
  - {name: b, address: 10.25.31.2}
  - {name: a, address: 10.25.31.1}
registry: {name: b, address: 10.25.31.2}
`)
	var got []string
	for _, h := range inv.Hosts() {
		line := h.Name
		for _, role := range h.Roles {
			line += " " + role
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"a master slave", "b slave registry"}, got); diff != "" {
		t.Error(diff)
	}
	if h := inv.Hosts()[0]; !h.HasRole(RoleMaster) || !h.HasRole(RoleSlave) || h.HasRole(RoleRegistry) {
		t.Errorf("roles of a are %v", h.Roles)
	}
}

func TestHosts_ComeInOrderOfRoles(t *testing.T) {
	var got []string
	for _, h := range parse(t, "").Hosts() {
		got = append(got, h.Name)
	}
	if diff := cmp.Diff([]string{"10.25.31.44", "10.25.31.45", "10.25.31.109", "10.25.31.102"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHosts_RegistryOnTheMasterMayRepeatSettingsByAlias(t *testing.T) {
	inv := parse(t, `
master: &m
  name: a
  address: 10.25.31.1
  ssh: {port: 2222}
  components: {etcd: {extraArgs: {x: 1}}}
registry: {<<: *m, port: 5001}
`)
	hosts := inv.Hosts()
	if len(hosts) != 3 || !hosts[0].HasRole(RoleRegistry) || inv.Registry.Port != 5001 {
		t.Errorf("hosts are %v", hosts)
	}
}

func TestRegistry_OnItsOwnHostMayUseAnyPort(t *testing.T) {
	if inv := parse(t, "registry: {address: 10.25.31.102, port: 6443}\n"); inv.Registry.Port != 6443 {
		t.Errorf("port is %d", inv.Registry.Port)
	}
}

func TestSSH_IsInheritedKeyByKey(t *testing.T) {
	const pin, other = "ssh-ed25519 SHA256:2VbkODIJsn2+lbWVqLuSM4Hjtg/Dt2jYEDBfYaC1h6E", "ssh-rsa SHA256:2VbkODIJsn2+lbWVqLuSM4Hjtg/Dt2jYEDBfYaC1h6E"
	inv := parse(t, `
ssh: {user: op, port: 2222, identityFile: /id, knownHosts: /known, connectTimeout: 5s, commandTimeout: 1m, keepAlive: 2s, jump: a, config: none, unknownHosts: strict, hostKeys: [`+pin+`]}
slaves:
  - 10.25.31.45
  - {address: 10.25.31.46, ssh: {user: other}}
  - {address: 10.25.31.47, ssh: {port: 22}}
  - {address: 10.25.31.48, ssh: {identityFile: /other}}
  - {address: 10.25.31.49, ssh: {knownHosts: /other}}
  - {address: 10.25.31.50, ssh: {connectTimeout: 1s}}
  - {address: 10.25.31.51, ssh: {commandTimeout: 1s}}
  - {address: 10.25.31.52, ssh: {keepAlive: 1s}}
  - {address: 10.25.31.53, ssh: {jump: none}}
  - {address: 10.25.31.54, ssh: {config: /other}}
  - {address: 10.25.31.55, ssh: {unknownHosts: accept-new}}
  - {address: 10.25.31.56, ssh: {hostKeys: [`+other+`]}}
`)
	base := SSH{
		User: "op", Port: 2222, IdentityFile: "/id", KnownHosts: "/known", HostKeys: []string{pin}, UnknownHosts: "strict", Jump: "a", Config: "none",
		ConnectTimeout: 5 * time.Second, CommandTimeout: time.Minute, KeepAlive: 2 * time.Second,
	}
	want := []SSH{base}
	for _, change := range []func(*SSH){
		func(s *SSH) { s.User = "other" },
		func(s *SSH) { s.Port = 22 },
		func(s *SSH) { s.IdentityFile = "/other" },
		func(s *SSH) { s.KnownHosts = "/other" },
		func(s *SSH) { s.ConnectTimeout = time.Second },
		func(s *SSH) { s.CommandTimeout = time.Second },
		func(s *SSH) { s.KeepAlive = time.Second },
		func(s *SSH) { s.Jump = "none" },
		func(s *SSH) { s.Config = "/other" },
		func(s *SSH) { s.UnknownHosts = "accept-new" },
		func(s *SSH) { s.HostKeys = []string{other} },
	} {
		changed := base
		change(&changed)
		want = append(want, changed)
	}
	var got []SSH
	for _, h := range inv.Slaves {
		got = append(got, h.SSH)
		if again := inv.SSHOf(h); !reflect.DeepEqual(again, h.SSH) {
			t.Errorf("%s: SSHOf changes %v into %v", h.Name, h.SSH, again)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !reflect.DeepEqual(inv.Master[0].SSH, base) || !reflect.DeepEqual(inv.Registry.SSH, base) {
		t.Errorf("master has %v, registry %v", inv.Master[0].SSH, inv.Registry.SSH)
	}
}

func text(s string) *string { return &s }

func TestExtraArgs_BecomeTheirLiteralText(t *testing.T) {
	inv := parse(t, `
components:
  apiserver:
    extraArgs: {a: true, b: 5, c: "x", d: 1.50, e: 0x10, f: 2020-01-01, g: , h: ~, i: "null", j: "", k: 1_000, l: yes, feature.gates_x: "A=b,C=d $HOME '\"'"}
`)
	want := map[string]*string{
		"a": text("true"), "b": text("5"), "c": text("x"), "d": text("1.50"), "e": text("0x10"), "f": text("2020-01-01"),
		"g": nil, "h": nil, "i": text("null"), "j": text(""), "k": text("1_000"), "l": text("yes"),
		"feature.gates_x": text(`A=b,C=d $HOME '"'`),
	}
	if diff := cmp.Diff(want, inv.Components.APIServer.ExtraArgs); diff != "" {
		t.Error(diff)
	}
}

func TestConfig_KeepsPlainValues(t *testing.T) {
	inv := parse(t, `
components:
  kubelet:
    config: {a: 1, b: [x, 2.5, true, ~, {c: d}], e: 2020-01-01, 5: five, big: 18446744073709551615, "no": "5"}
`)
	want := map[string]any{
		"a": 1, "b": []any{"x", 2.5, true, nil, map[string]any{"c": "d"}}, "e": "2020-01-01", "5": "five",
		"big": uint64(18446744073709551615), "no": "5",
	}
	if diff := cmp.Diff(want, inv.Components.Kubelet.Config); diff != "" {
		t.Error(diff)
	}
}

func TestComponents_OfAHostGoOverTheInventorys(t *testing.T) {
	inv := parse(t, `
components:
  kubelet:
    extraArgs: {v: 2, x: y}
    config: {a: 1, nested: {b: 1, c: 1, deep: {d: 1}}, list: [1, 2], scalar: 1, mapping: {e: 1}}
  proxy:
    extraArgs: {v: 1}
slaves:
  - address: 10.25.31.45
    components:
      kubelet:
        extraArgs: {v: 4, x: , z: 1}
        config: {nested: {c: 2, deep: {f: 2}}, list: [3], scalar: {g: 2}, mapping: ~, new: 2}
      etcd:
        config: {only: here}
  - 10.25.31.46
`)
	got := inv.Slaves[0].Components
	want := Components{
		Etcd: Component{Config: map[string]any{"only": "here"}},
		Kubelet: Component{
			ExtraArgs: map[string]*string{"v": text("4"), "x": nil, "z": text("1")},
			Config: map[string]any{
				"a":      1,
				"nested": map[string]any{"b": 1, "c": 2, "deep": map[string]any{"d": 1, "f": 2}},
				"list":   []any{3}, "scalar": map[string]any{"g": 2}, "mapping": nil, "new": 2,
			},
		},
		Proxy: Component{ExtraArgs: map[string]*string{"v": text("1")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, inv.ComponentsOf(inv.Slaves[0])); diff != "" {
		t.Error("merging again changes something:", diff)
	}
	if diff := cmp.Diff(inv.Components, inv.Slaves[1].Components); diff != "" {
		t.Error("a host without components differs from the inventory:", diff)
	}
	if inv.Components.Kubelet.Config["new"] != nil || *inv.Components.Kubelet.ExtraArgs["v"] != "2" {
		t.Error("merging changed the inventory's components")
	}
}

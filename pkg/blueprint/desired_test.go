package blueprint

import (
	"reflect"
	"testing"

	"provision/pkg/resource"
)

// masterOf renders a small set for the master.
func masterOf(t *testing.T, resources string, templates map[string]string) (resource.Host, error) {
	t.Helper()
	hosts, err := selectSmall(t, onMaster(resources, templates)).Desired(parse(t, ""), sums{})
	return hosts[0], err
}

func TestDesired_Mistakes(t *testing.T) {
	templates := map[string]string{
		"missing": "{{ .Inventory.Nothing }}", "vars": "{{ .Vars.user }}", "flags": `{{ .Flags "kubelt" }}`, "of": `{{ .FlagsOf .Master "x" }}`,
		"random": resource.RandomPlaceholder, "list": "- a", "tag": `{{ .ImageTag "missing" }}`, "yaml": "a: 1\n", "plain": "a",
	}
	tests := []struct{ name, resources, want string }{
		{"unknown template", "- file: {path: /a, template: nowhere.tmpl}", `file /a: the set has no template "nowhere.tmpl"`},
		{"unknown field", "- file: {path: /a, template: missing.tmpl}", "file /a: template: missing.tmpl:1:13: executing"},
		{"unknown variable", "- file: {path: /a, template: vars.tmpl}", `map has no entry for key "user"`},
		{"unknown component of Flags", "- file: {path: /a, template: flags.tmpl}", `no component "kubelt"`},
		{"unknown component of FlagsOf", "- file: {path: /a, template: of.tmpl}", `no component "x"`},
		{"unknown component of merge", "- file: {path: /a, template: yaml.tmpl, merge: kubelt}", `file /a: no component "kubelt"`},
		{"merge into a list", "- file: {path: /a, template: list.tmpl, merge: kubelet}", "file /a: the rendered template is not a YAML mapping"},
		{"a secret that isn't made once", "- file: {path: /a, template: random.tmpl}", "holds a secret made at random, so it must say once: true"},
		{"artifact without a sum", "- artifact: {path: /a, source: missing}", "artifact missing has no sum"},
		{"image without a sum", "- image: {repository: a, tag: b, source: missing}", "artifact missing has no sum"},
		{"tag of an image without a sum", "- file: {path: /a, template: tag.tmpl}", "artifact missing has no sum"},
		{"address that is none", "- certificate: {cert: /a, key: /b, authority: x, commonName: n, addresses: [a.b], usages: [client]}", `ParseAddr("a.b")`},
		{"unknown usage", "- certificate: {cert: /a, key: /b, authority: x, commonName: n, usages: [signer]}", `usage "signer" is unknown`},
		{"path that can't be", "- file: {path: a, template: plain.tmpl}", `m: file a: path "a": must be absolute`},
		{"unknown use", "- service: {unit: a.service, uses: [/nowhere]}", "service a.service uses /nowhere, which the host does not have"},
		{"use of what comes later", "- service: {unit: a.service, uses: [/a]}\n- file: {path: /a, template: plain.tmpl}", "service a.service uses file /a, which stands after it"},
		{"unit file that comes later", "- service: {unit: a.service}\n- file: {path: /etc/systemd/system/a.service, template: plain.tmpl}", "service a.service uses file /etc/systemd/system/a.service, which stands after it"},
		{"use of one of two", "- package: {name: a}\n- module: {name: a}\n- service: {unit: a.service, uses: [a]}", "service a.service uses a, which is the name of both package a and module a"},
		{"a condition that fails", "- when: '{{ .Inventory.Nothing }}'\n  package: {name: a}", "can't evaluate field Nothing"},
		{"two files at one path", "- file: {path: /a, template: plain.tmpl}\n- file: {path: /a, template: yaml.tmpl}", "m: file /a is declared twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := masterOf(t, tt.resources, templates)
			checkError(t, err, tt.want)
		})
	}
}

func TestDesired_AllMistakesAreReportedOnceEach(t *testing.T) {
	set := selectSmall(t, small(`stages:
  - name: all
    roles: [slave]
    resources:
      - file: {path: /a, template: a.tmpl}
      - artifact: {path: /b, source: missing}
  - name: more
    roles: [registry]
    resources:
      - service: {unit: a.service, uses: [/a]}
`, nil))
	_, err := set.Desired(parseWhole(t, "master: 10.0.0.1\nslaves: [10.0.0.2, 10.0.0.3]\nregistry: 10.0.0.4\nartifacts: {dir: a}\n"), sums{})
	const want = `file /a: the set has no template "a.tmpl"
artifact missing has no sum
service a.service uses /a, which the host does not have`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestDesired_When(t *testing.T) {
	for condition, want := range map[string]bool{
		"":                                  true,
		"'false'":                           false,
		"'true'":                            true,
		`'{{ .HasRole "master" }}'`:         true,
		`'{{ .HasRole "slave" }}'`:          false,
		`' {{ .Inventory.Verify.Image }} '`: false,
	} {
		host, err := masterOf(t, "- when: "+condition+"\n  package: {name: a}", nil)
		if err != nil || (len(host.Resources()) == 1) != want {
			t.Errorf("when %s: %v, %v", condition, host.Resources(), err)
		}
	}
}

// several is a host with all roles, told the same by two of them.
const several = "master: &m {name: m, address: 10.0.0.1}\nslaves: [*m]\nregistry: *m\nartifacts: {dir: a}\n"

func TestDesired_WhatSeveralRolesDeclareAlikeIsThereOnce(t *testing.T) {
	both := func(master, slave string) error {
		set := selectSmall(t, small("stages:\n  - name: a\n    roles: [master]\n    resources:\n"+indent(master)+"  - name: b\n    roles: [slave]\n    resources:\n"+indent(slave), map[string]string{"a": "a", "b": "b"}))
		_, err := set.Desired(parseWhole(t, several), sums{})
		return err
	}
	const files = "- file: {path: /a, template: a.tmpl}\n- file: {path: /b, template: b.tmpl}\n"
	for _, resource := range []string{
		"- package: {name: a}", "- trust: {path: /t, authority: x}", files + "- service: {unit: a.service, uses: [/a]}",
		"- command: {name: a, check: [a], do: [b], within: 1s}",
	} {
		if err := both(resource, resource); err != nil {
			t.Errorf("%s: %v", resource, err)
		}
	}
	for _, tt := range []struct{ one, other, want string }{
		{"- trust: {path: /t, authority: x}", "- trust: {path: /t, authority: x, mode: '0600'}", "trust /t is declared twice"},
		{files + "- service: {unit: a.service, uses: [/a]}", files + "- service: {unit: a.service, uses: [/b]}", "service a.service is declared twice"},
		{"- service: {unit: a.service}", "- service: {unit: a.service, answers: 'http://127.0.0.1/', within: 1s}", "service a.service is declared twice"},
		{"- command: {name: a, check: [a], do: [b]}", "- command: {name: a, check: [a], do: [b], within: 1s}", "command a is declared twice"},
		{"- file: {path: /a, template: a.tmpl}", "- file: {path: /a, template: b.tmpl}", "file /a is declared twice"},
	} {
		checkError(t, both(tt.one, tt.other), tt.want)
	}
}

func TestDesired_AServiceUsesItsUnitAndDropIns(t *testing.T) {
	host, err := masterOf(t, `- file: {path: /a/x.service, template: a.tmpl}
- file: {path: /etc/x.service.d/b.conf, template: a.tmpl}
- file: {path: /etc/y.service.d/b.conf, template: a.tmpl}
- package: {name: p}
- service: {unit: x.service, uses: [p, '{{ range list 1 2 }}/a/x.service {{ end }}']}
`, map[string]string{"a": "a"})
	if err != nil {
		t.Fatal(err)
	}
	service, _ := host.Resources()[4].(resource.Service)
	want := []resource.ID{{Kind: "file", Name: "/a/x.service"}, {Kind: "file", Name: "/etc/x.service.d/b.conf"}, {Kind: "package", Name: "p"}}
	if !reflect.DeepEqual(service.Uses, want) || service.Inputs == "" {
		t.Errorf("uses %v", service.Uses)
	}
}

func TestDesired_SettingsWithoutEffectAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"components: {etcd: {config: {a: 1}}}":                            "components.etcd.config: etcd has no configuration file in this template set; use extraArgs",
		"components: {containerd: {extraArgs: {a: b}}}":                   "components.containerd.extraArgs: containerd takes no flags in this template set; use config",
		"components: {coredns: {config: {a: 1}}}":                         "components.coredns.config: coredns has no configuration file in this template set; an overlay can change its files",
		"components: {coredns: {extraArgs: {a: b}}}":                      "components.coredns.extraArgs: coredns takes no flags in this template set; an overlay can change its files",
		"components: {etcd: {config: {a: 1}}, coredns: {config: {a: 1}}}": "components.coredns.config",
	} {
		_, err := modern(t).Desired(parse(t, text), sums{})
		checkError(t, err, want)
	}
	inv := parse(t, "")
	inv.Slaves[0].Components.Scheduler.Config = map[string]any{"a": 1}
	_, err := modern(t).Desired(inv, sums{})
	checkError(t, err, "components.scheduler.config: scheduler has no configuration file")
}

func TestData_ImageTagFollowsTheArtifact(t *testing.T) {
	data := newData(parse(t, ""), parse(t, "").Hosts()[0], sums{}, map[string]bool{})
	tag, err := data.ImageTag("pause.tar")
	if err != nil || tag != resource.Sum([]byte("pause.tar"))[:12] {
		t.Errorf("tag is %q, %v", tag, err)
	}
	_, err = data.ImageTag("missing")
	checkError(t, err, "artifact missing has no sum")
}

func TestSampleImage_IsTheInventorysOrTheSets(t *testing.T) {
	for more, want := range map[string]string{
		"":                                       "10.0.0.3:5000/sample:" + resource.Sum([]byte("sample.tar"))[:12],
		"verify: {image: 10.0.0.3:5000/tomcat8}": "10.0.0.3:5000/tomcat8",
	} {
		if got, err := modern(t).SampleImage(parse(t, more), sums{}); err != nil || got != want {
			t.Errorf("image is %q, %v", got, err)
		}
	}
	set := selectSmall(t, small(`verify: {image: '{{ .ImageTag "missing" }}'}`, nil))
	_, err := set.SampleImage(parse(t, ""), sums{})
	checkError(t, err, "template set v1: sample image: ")
}

package resource

import "testing"

func TestSysctl_WhitespaceMeansNothing(t *testing.T) {
	s := Sysctl{Key: "net.ipv4.ip_local_port_range", Value: "1024  65535"}
	for value, want := range map[string][]string{
		"1024\t65535":   nil,
		" 1024 65535\n": nil,
		"32768\t60999":  {"value: 32768 60999 -> 1024 65535"},
		"":              {"value:  -> 1024 65535"},
	} {
		v := seeing(nil)
		v.Facts.Sysctls = map[string]string{s.Key: value}
		checkDiffering(t, s, v, want...)
	}
	checkDiffering(t, s, seeing(nil), "value:  -> 1024 65535")
	checkBring(t, s, seeing(nil), "sysctl /proc/sys/net/ipv4/ip_local_port_range 1024  65535")
}

func TestSysctlPath_DotsAndSlashesChangePlaces(t *testing.T) {
	if got := SysctlPath("net.ipv4.conf.eth0/1.rp_filter"); got != "/proc/sys/net/ipv4/conf/eth0.1/rp_filter" {
		t.Error(got)
	}
}

func TestModule_IsPresentByAnyOfItsSigns(t *testing.T) {
	m := Module{Name: "br_netfilter", Evidence: "/proc/sys/net/bridge"}
	overlay := Module{Name: "overlay"}
	builtIn := seeing(nil)
	builtIn.Facts.Filesystems = map[string]bool{"overlay": true}
	tests := []struct {
		name   string
		module Module
		view   View
		want   []string
	}{
		{"absent", m, seeing(nil), []string{"module:  -> present"}},
		{"loaded", m, seeing(map[string]FileFact{"/sys/module/br_netfilter": {Type: "directory"}}), nil},
		{"built in, by evidence", m, seeing(map[string]FileFact{"/proc/sys/net/bridge": {Type: "directory"}}), nil},
		{"built in, by file system", overlay, builtIn, nil},
		{"another file system", m, builtIn, []string{"module:  -> present"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkDiffering(t, tt.module, tt.view, tt.want...) })
	}
	checkBring(t, m, seeing(nil), "module br_netfilter")
	if q := NewQuestions([]Resource{m}); len(q.Files) != 2 {
		t.Errorf("asks for %v", q.Files)
	}
}

func TestPackage_AnyVersionWillDo(t *testing.T) {
	p := Package{Name: "chrony"}
	v := seeing(nil)
	v.Facts.PackageTool = "apt-get"
	checkDiffering(t, p, v, "package:  -> installed")
	checkBring(t, p, v, "package apt-get chrony")
	v.Facts.Packages = map[string]string{"chrony": "4.3-2+deb12u1"}
	checkDiffering(t, p, v)
}

func TestPackage_WithoutAPackageManagerIsAnError(t *testing.T) {
	checkRefuses(t, Package{Name: "chrony"}, seeing(nil), "package chrony: the host has none of apt-get, dnf, yum; install it by hand")
}

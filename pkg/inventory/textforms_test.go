package inventory

import (
	"strings"
	"testing"
)

func TestTextForms_AllowWhatIsSafeAndNothingElse(t *testing.T) {
	label := strings.Repeat("a", 63)
	name253 := strings.Join([]string{label, label, label, label[:61]}, ".")
	tests := []struct {
		form    string
		valid   func(string) bool
		yes, no []string
	}{
		{"label", isLabel, []string{"a", "0", "a-b", label}, []string{label + "a", "-a", "a-", "A", "a.b", "a_b"}},
		{"host name", isHostName, []string{"a", "a.b", "10.25.31.44", "a-1.b-2", name253}, []string{name253 + "a", "a.", ".a", "a..b", "A.b", "a.-b"}},
		{
			"server", isHostOrAddress,
			[]string{"pool.ntp.org", "NTP", "10.25.31.1", "2001:db8::1"},
			[]string{"10.25.31", "1", "10.25.31.256", "fe80::1%eth0", "::", "0.0.0.0", "224.0.0.1", "ff02::1", "a:123"},
		},
		{"user", isUserName, []string{"root", "_apt", "Op.1-x", strings.Repeat("u", 32)}, []string{strings.Repeat("u", 33), "-u", "a@b", "a:b", "u/"}},
		{"interface", isInterface, []string{"eth0", "enp0s31f6", "eth0.100", "br-lan", "veth@if2", strings.Repeat("e", 15)}, []string{strings.Repeat("e", 16), ".", "..", "-e", "a/b", "a:b"}},
		{"etcd key", isEtcdKey, []string{"/a", "/coreos.com/network", "/" + strings.Repeat("k", 254)}, []string{"/" + strings.Repeat("k", 255), "/", "a", "/a/", "//a", "/.", "/a/..", "/a/.b"}},
		{"flag", isFlagName, []string{"v", "audit-log-maxage", "feature.gates", "a_b", strings.Repeat("f", 255)}, []string{strings.Repeat("f", 256), "-v", ".v", "a=b", "a/b"}},
		{"file name", isFileName, []string{"kubelet", "pause-3.10.tar.gz", "a+b~c@d:e", strings.Repeat("n", 255)}, []string{strings.Repeat("n", 256), "a/b", ".", "..", ".a", "-a"}},
		{"sum", isSHA256, []string{strings.Repeat("0a", 32)}, []string{strings.Repeat("0a", 31), strings.Repeat("0a", 33), strings.Repeat("0A", 32), strings.Repeat("0g", 32)}},
		{
			"image", isImage,
			[]string{
				"tomcat8", "tomcat8:v1", "10.25.31.102:5000/tomcat8", "registry.k8s.io/pause:3.10", "a/b/c__d.e-f", "localhost/x",
				"docker.io/library/busybox@sha256:" + strings.Repeat("0a", 32), "a:5000/b:c@sha256:" + strings.Repeat("0a", 32), "a/" + strings.Repeat("b", 253),
			},
			[]string{"Tomcat", "a/B", "a:", "a@sha256:0a", "a@md5:" + strings.Repeat("0a", 32), "/a", "a/", "a//b", "-a", "https://a/b", "a:-b", "a/" + strings.Repeat("b", 254)},
		},
	}
	hostile := []string{"", " ", "a b", "a\n", "a\nb", "\x00", "a\x00", "a;b", "$(a)", "`a`", "a|b", "a&b", "a>b", "'a'", `"a"`, `a\b`, "a*", "é", "a\u202eb", "--help", "%n", "a\tb"}
	for _, tt := range tests {
		t.Run(tt.form, func(t *testing.T) {
			for _, s := range tt.yes {
				if !tt.valid(s) {
					t.Errorf("%q is refused", s)
				}
			}
			for _, s := range append(tt.no, hostile...) {
				if tt.valid(s) {
					t.Errorf("%q is allowed", s)
				}
			}
		})
	}
}

func TestUpstream_IsAnAddressOrAddressAndPort(t *testing.T) {
	for s, want := range map[string]string{"9.9.9.9": "9.9.9.9", "9.9.9.9:53": "9.9.9.9", "9.9.9.9:65535": "9.9.9.9"} {
		if a, ok := upstreamAddress(s); !ok || a.String() != want {
			t.Errorf("%q is %s, %v", s, a, ok)
		}
	}
	for _, s := range []string{"", "9.9.9", "9.9.9.9:", "9.9.9.9:0", "9.9.9.9:65536", "::1", "[::1]:53", "dns:53", "9.9.9.9 ", "9.9.9.9:53\n", "9.9.9.9:dns"} {
		if a, ok := upstreamAddress(s); ok {
			t.Errorf("%q is allowed as %s", s, a)
		}
	}
}

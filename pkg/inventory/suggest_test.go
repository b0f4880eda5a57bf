package inventory

import "testing"

func TestEditDistance_CountsEdits(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "abc", 3},
		{"slave", "slaves", 1},
		{"mastre", "master", 1},
		{"kitten", "sitting", 3},
		{"ab", "ba", 1},
		{"abc", "abc", 0},
		{"abcd", "badc", 2},
	}
	for _, tt := range tests {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d; want %d", tt.a, tt.b, got, tt.want)
		}
		if got := editDistance(tt.b, tt.a); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d; want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestNearest_SuggestsOnlyWhatIsNear(t *testing.T) {
	keys := []string{"cluster", "master", "slaves", "registry", "podCIDR"}
	tests := map[string]string{
		"slave": "slaves", "SLAVES": "slaves", "podcidr": "podCIDR", "mastre": "master", "registery": "registry",
		"colour": "", "x": "", "": "", "workers": "",
	}
	for word, want := range tests {
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q; want %q", word, got, want)
		}
	}
}

func TestElsewhere_FindsTheHomeOfAKey(t *testing.T) {
	tests := map[string]string{
		"podCIDR": "network.podCIDR", "subnetLength": "network.flannel.subnetLength", "identityFile": "ssh.identityFile", "nothing": "",
		"port": "", "name": "", "extraArgs": "",
	}
	for key, want := range tests {
		if got := elsewhere(key); got != want {
			t.Errorf("elsewhere(%q) = %q; want %q", key, got, want)
		}
	}
}

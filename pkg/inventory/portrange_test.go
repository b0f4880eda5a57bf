package inventory

import "testing"

func TestParsePortRange_ReadsRangesAndSinglePorts(t *testing.T) {
	tests := []struct {
		text, formatted string
		want            PortRange
		size            int
	}{
		{"30000-32767", "30000-32767", PortRange{30000, 32767}, 2768},
		{"1-65535", "1-65535", PortRange{1, 65535}, 65535},
		{"8080", "8080-8080", PortRange{8080, 8080}, 1},
		{"80-80", "80-80", PortRange{80, 80}, 1},
	}
	for _, tt := range tests {
		got, err := ParsePortRange(tt.text)
		if err != nil || got != tt.want || got.String() != tt.formatted || got.Size() != tt.size {
			t.Errorf("ParsePortRange(%q) = %v of %d, %v", tt.text, got, got.Size(), err)
		}
		var again PortRange
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q reads back as %v, %v", got, again, err)
		}
	}
}

func TestParsePortRange_RefusesOtherForms(t *testing.T) {
	for _, text := range []string{"", "-", "1-", "-1", "0", "0-5", "65536", "1-65536", "5-1", "a-b", "1-2-3", "1 - 2", "+1-2", "0x1-2", "1:2", "99999999999999999999"} {
		if r, err := ParsePortRange(text); err == nil {
			t.Errorf("ParsePortRange(%q) = %v; want an error", text, r)
		}
	}
}

func TestPortRange_ContainsBothEnds(t *testing.T) {
	r := PortRange{100, 200}
	for port, want := range map[uint16]bool{99: false, 100: true, 150: true, 200: true, 201: false} {
		if r.Contains(port) != want {
			t.Errorf("Contains(%d) = %v", port, !want)
		}
	}
}

func TestPortRange_ZeroIsEmpty(t *testing.T) {
	var r PortRange
	if r.Size() != 0 || r.String() != "" {
		t.Errorf("zero range has %d ports and the text %q", r.Size(), r)
	}
}

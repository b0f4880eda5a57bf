package report

import (
	"fmt"
	"io"
)

// The states of a key that a host has shown.
const (
	KeyKnown   = "known"   // the host is known by it
	KeyUnknown = "unknown" // nothing is known of it
	KeyChanged = "changed" // the host is known by another of this type
	KeyRevoked = "revoked"
)

// ShownKey is a key that a host has shown.
type ShownKey struct {
	// Key is its type and fingerprint.
	Key   string `json:"key"`
	State string `json:"state"`
	// Problem is what a run would say of it.
	Problem string `json:"problem,omitempty"`
}

// KeyScan is the keys of a host.
type KeyScan struct {
	Host    string     `json:"host"`
	Address string     `json:"address"`
	Keys    []ShownKey `json:"keys"`
	// Error is why the host could not be asked.
	Error string `json:"error,omitempty"`
}

// IsKnown tells whether a run would trust the host.
func (s KeyScan) IsKnown() bool {
	known := false
	for _, key := range s.Keys {
		switch key.State {
		case KeyKnown:
			known = true
		case KeyChanged, KeyRevoked:
			return false
		}
	}
	return known
}

// KeysFormat names the format of KeysJSON.
const KeysFormat = "provision.hostkeys/1"

// KeysJSON writes the keys of hosts as JSON.
func KeysJSON(w io.Writer, scans []KeyScan) error {
	text, err := marshal(struct {
		Format string    `json:"format"`
		Hosts  []KeyScan `json:"hosts"`
	}{KeysFormat, scans})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// WriteKeys writes a line for each key: host, state, type and fingerprint as
// an inventory has them.
func WriteKeys(w io.Writer, scans []KeyScan, style Style) {
	p := newPage(w, style)
	width, unknown := 0, 0
	for _, scan := range scans {
		width = max(width, columns(clean(scan.Host)))
	}
	for _, scan := range scans {
		name := span{pad(clean(scan.Host), width) + "  ", toneBold}
		if scan.Error != "" {
			p.line(0, width+2, name, span{"not asked: " + scan.Error, toneBad})
			continue
		}
		if !scan.IsKnown() {
			unknown++
		}
		for _, key := range scan.Keys {
			p.line(0, width+2, name, span{pad(key.State, len(KeyUnknown)) + "  ", keyTone(key.State)}, span{key.Key, tonePlain})
		}
	}
	if unknown > 0 {
		p.blank()
		p.line(0, 2, span{"Compare unknown keys with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on each host before you write one into the inventory, under hostKeys.", toneNote})
	}
	p.flush()
}

func keyTone(state string) tone {
	switch state {
	case KeyKnown:
		return toneGood
	case KeyUnknown:
		return toneWarn
	}
	return toneBad
}

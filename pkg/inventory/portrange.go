package inventory

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is a range of TCP or UDP ports, both ends included.
type PortRange struct {
	From, To uint16
}

// ParsePortRange reads FROM-TO, or one port.
func ParsePortRange(s string) (PortRange, error) {
	low, high, ok := strings.Cut(s, "-")
	if !ok {
		high = low
	}
	from, err := parsePort(low)
	if err != nil {
		return PortRange{}, err
	}
	to, err := parsePort(high)
	if err != nil {
		return PortRange{}, err
	}
	if to < from {
		return PortRange{}, fmt.Errorf("%d-%d ends before it begins", from, to)
	}
	return PortRange{From: from, To: to}, nil
}

// parsePort reads a port from 1 to 65535.
func parsePort(s string) (uint16, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%s is not a port", quote(s))
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is not a port: ports are 1 to 65535", s)
	}
	return uint16(n), nil
}

// String is FROM-TO, as ParsePortRange reads it; "" for the zero value.
func (r PortRange) String() string {
	if r == (PortRange{}) {
		return ""
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Contains tells whether port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.From <= port && port <= r.To }

// Size is the number of ports in the range.
func (r PortRange) Size() int {
	if r == (PortRange{}) {
		return 0
	}
	return int(r.To) - int(r.From) + 1
}

// MarshalText implements encoding.TextMarshaler.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *PortRange) UnmarshalText(text []byte) (err error) {
	*r, err = ParsePortRange(string(text))
	return err
}

package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Version is a Kubernetes version as the inventory gives it: MAJOR.MINOR, or
// MAJOR.MINOR.PATCH.
type Version struct {
	Major, Minor, Patch int
	// HasPatch tells 1.36.0 from 1.36.
	HasPatch bool
}

// ParseVersion reads MAJOR.MINOR or MAJOR.MINOR.PATCH.
func ParseVersion(s string) (Version, error) {
	if strings.HasPrefix(s, "v") {
		return Version{}, fmt.Errorf("%s is not a version: it begins with a v", quote(s))
	}
	parts := strings.Split(s, ".")
	if len(parts) != 2 && len(parts) != 3 {
		return Version{}, fmt.Errorf("%s is not MAJOR.MINOR or MAJOR.MINOR.PATCH", quote(s))
	}
	var v Version
	for i, into := range []*int{&v.Major, &v.Minor, &v.Patch}[:len(parts)] {
		n, err := versionNumber(parts[i])
		if err != nil {
			return Version{}, fmt.Errorf("%s is not a version: %w", quote(s), err)
		}
		*into = n
	}
	v.HasPatch = len(parts) == 3
	return v, nil
}

// versionNumber reads one number of a version.
func versionNumber(s string) (int, error) {
	switch {
	case s == "" || strings.Trim(s, "0123456789") != "":
		return 0, fmt.Errorf("%s is not a number", quote(s))
	case len(s) > 1 && s[0] == '0':
		return 0, fmt.Errorf("%s has a leading zero", quote(s))
	case len(s) > 4:
		return 0, errors.New("its numbers have at most four digits")
	}
	return strconv.Atoi(s)
}

// String is the text that ParseVersion reads; "" for the zero value.
func (v Version) String() string {
	switch {
	case v == Version{}:
		return ""
	case v.HasPatch:
		return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// Compare is negative when v is before w, positive when after it and zero when
// they are equal. A version without a patch comes before its patches.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.patchOrder(), w.patchOrder()),
	)
}

func (v Version) patchOrder() int {
	if !v.HasPatch {
		return -1
	}
	return v.Patch
}

// MarshalText implements encoding.TextMarshaler.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVersion(string(text))
	return err
}

package inventory

import (
	"net/netip"
	"reflect"
	"time"
)

// textType describes, to people and in the schema, a type that is written as
// one scalar.
type textType struct {
	noun    string // as in "is not …"
	short   string // in the reference's column of types
	example string
	pattern string // a regular expression of ECMA 262, for the schema
	number  bool   // YAML may take the text for a number
	// explains tells that the type's own errors say what is wrong.
	explains bool
}

const octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`

// textTypeOf finds what is known about a type that is written as one scalar.
func textTypeOf(t reflect.Type) (textType, bool) {
	switch t {
	case reflect.TypeFor[netip.Addr]():
		return textType{
			noun: "an IPv4 address", short: "address", example: "10.25.31.44",
			pattern: `^(` + octet + `\.){3}` + octet + `$`,
		}, true
	case reflect.TypeFor[netip.Prefix]():
		return textType{
			noun: "an address range in CIDR notation", short: "address range", example: "172.17.0.0/16",
			pattern: `^(` + octet + `\.){3}` + octet + `/([0-9]|[12][0-9]|3[0-2])$`,
		}, true
	case reflect.TypeFor[time.Duration]():
		return textType{
			noun: "a duration", short: "duration", example: "10s",
			pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`,
		}, true
	case reflect.TypeFor[Version]():
		return textType{
			noun: "a version", short: "version", example: "1.36.3",
			pattern: `^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$`, number: true, explains: true,
		}, true
	case reflect.TypeFor[PortRange]():
		return textType{
			noun: "a range of ports", short: "range of ports", example: "30000-32767",
			pattern: `^[0-9]{1,5}(-[0-9]{1,5})?$`, number: true, explains: true,
		}, true
	}
	return textType{}, false
}

package inventory

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"time"
)

// setDefaults fills every field of a struct that has a default.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		setDefault(v.FieldByIndex(f.index), f)
	}
}

// setDefault fills one field, or the fields of the struct that it is; what is
// inherited stays empty.
func setDefault(v reflect.Value, f field) {
	if f.tag.Get("inherit") != "" {
		return
	}
	if text := f.tag.Get("default"); text != "" {
		if err := setText(v, text); err != nil {
			panic(fmt.Sprintf("inventory: default of %s: %v", f.name, err)) // a mistake in this package
		}
		return
	}
	if isMapping(v.Type()) {
		setDefaults(v)
	}
}

// setText fills a value from the text of a scalar.
func setText(v reflect.Value, text string) error {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return err
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int:
		i, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(i)
		return err
	case reflect.Uint16:
		u, err := strconv.ParseUint(text, 10, 16)
		v.SetUint(u)
		return err
	default:
		return fmt.Errorf("no text form of %s", v.Type())
	}
	return nil
}

// complete fills what follows from other keys.
func (inv *Inventory) complete() {
	for _, hosts := range []Hosts{inv.Master, inv.Slaves} {
		for i := range hosts {
			hosts[i].nameByAddress()
		}
	}
	inv.Registry.nameByAddress()
	if !inv.DNS.Address.IsValid() {
		inv.DNS.Address = nthAddress(inv.Services.CIDR, dnsAddressIndex)
	}
}

func (h *Host) nameByAddress() {
	if h.Name == "" && h.Address.IsValid() {
		h.Name = h.Address.String()
	}
}

const (
	apiAddressIndex = 1  // kube-apiserver takes the first address of its range
	dnsAddressIndex = 10 // by custom
)

// nthAddress counts from the network address; the zero value when the range
// does not reach so far.
func nthAddress(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	if !p.Contains(a) {
		return netip.Addr{}
	}
	return a
}

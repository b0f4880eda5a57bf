package resource

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	sysctlPattern = regexp.MustCompile(`^[a-z0-9_-]+(\.[A-Za-z0-9_/-]+)+$`)
	modulePattern = regexp.MustCompile(`^[a-z0-9_]+$`)
)

// Sysctl is a kernel parameter's value in the running kernel. A File below
// /etc/sysctl.d keeps it over a reboot.
type Sysctl struct {
	Key   string
	Value string
}

// ID is the key.
func (s Sysctl) ID() ID { return ID{"sysctl", s.Key} }

// Validate checks the key's form, as in sysctl.d(5), and that the value is one
// line.
func (s Sysctl) Validate() error {
	if !sysctlPattern.MatchString(s.Key) {
		return fmt.Errorf("key %q: want a name as in net.ipv4.ip_forward", s.Key)
	}
	if s.Value == "" || strings.ContainsAny(s.Value, "\n\x00") {
		return fmt.Errorf("value %q of %s: want one line", s.Value, s.Key)
	}
	return validatePath(SysctlPath(s.Key))
}

// Digest covers key and value.
func (s Sysctl) Digest() string { return digest("sysctl", s.Key, s.Value) }

// Ask wants the value.
func (s Sysctl) Ask(q *Questions) { q.Sysctls = append(q.Sysctls, s.Key) }

// SysctlPath is where the kernel shows a key; '.' and '/' change places as
// sysctl.d(5) says.
func SysctlPath(key string) string {
	return "/proc/sys/" + strings.NewReplacer(".", "/", "/", ".").Replace(key)
}

// Want is the declared value.
func (s Sysctl) Want(View) State { return State{{"value", strings.Join(strings.Fields(s.Value), " ")}} }

// Have is the running kernel's value.
func (s Sysctl) Have(v View) State {
	value, ok := v.Facts.Sysctls[s.Key]
	if !ok {
		return nil
	}
	return State{{"value", strings.Join(strings.Fields(value), " ")}}
}

// Bring sets the value.
func (s Sysctl) Bring(v View, _ Materials) (Operations, error) {
	op := Op{Verb: "sysctl", Args: []string{SysctlPath(s.Key), s.Value}}
	return Operations{Ops: []Op{op}, Applied: s.Want(v)}, nil
}

// Module is a kernel module, loaded or built in.
type Module struct {
	Name string
	// Evidence is a path that exists when the module's function is there: a
	// built-in module need not show in /sys/module. One that is a file system
	// needs none.
	Evidence string
}

// ID is the module's name.
func (m Module) ID() ID { return ID{"module", m.Name} }

// Validate checks the name and the path of the evidence.
func (m Module) Validate() error {
	if !modulePattern.MatchString(m.Name) {
		return fmt.Errorf("module %q: want a name of lower-case letters, digits and '_'", m.Name)
	}
	if m.Evidence == "" {
		return nil
	}
	return validatePath(m.Evidence)
}

// Digest covers the name.
func (m Module) Digest() string { return digest("module", m.Name) }

func (m Module) places() []string {
	places := []string{"/sys/module/" + m.Name}
	if m.Evidence != "" {
		places = append(places, m.Evidence)
	}
	return places
}

// Ask wants the places that a loaded module shows in.
func (m Module) Ask(q *Questions) { q.Files = append(q.Files, m.places()...) }

// Want is a present module.
func (m Module) Want(View) State { return State{{"module", "present"}} }

// Have tells whether the module shows anywhere.
func (m Module) Have(v View) State {
	if v.Facts.Filesystems[m.Name] {
		return m.Want(v)
	}
	for _, place := range m.places() {
		if _, ok := v.Facts.Files[place]; ok {
			return m.Want(v)
		}
	}
	return nil
}

// Bring loads the module.
func (m Module) Bring(v View, _ Materials) (Operations, error) {
	return Operations{Ops: []Op{{Verb: "module", Args: []string{m.Name}}}, Applied: m.Want(v)}, nil
}

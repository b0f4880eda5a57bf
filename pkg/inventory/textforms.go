package inventory

import (
	"fmt"
	"iter"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
)

// The forms of texts that reach hosts. They are narrow on purpose: what they
// allow means nothing to a shell, a unit file or a path.
var (
	labelForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	userForm      = regexp.MustCompile(`^[A-Za-z0-9._][A-Za-z0-9._-]{0,31}$`)
	interfaceForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]{0,14}$`)
	etcdKeyForm   = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
	flagForm      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	fileNameForm  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+~@:-]*$`)
	sha256Form    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	imageForm     = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?` + // registry
		`[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*` + // name
		`(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`) // tag, digest
)

const (
	longestName = 253 // of a DNS name, RFC 1123
	longestText = 255
)

// isLabel tells whether s is a lower-case DNS label (RFC 1123).
func isLabel(s string) bool { return labelForm.MatchString(s) }

// isHostName tells whether s is lower-case DNS labels with dots between them.
func isHostName(s string) bool {
	if len(s) > longestName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isHostOrAddress tells whether s names a server: host names may be in upper
// case here, as no Kubernetes object is called so.
func isHostOrAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	if err == nil {
		return a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast()
	}
	return isHostName(strings.ToLower(s)) && strings.Trim(s, "0123456789.") != ""
}

// isUserName tells whether s is of POSIX's portable user names (3.426).
func isUserName(s string) bool { return userForm.MatchString(s) }

// isInterface tells whether s is a plain name that Linux gives interfaces.
func isInterface(s string) bool { return interfaceForm.MatchString(s) }

func isEtcdKey(s string) bool { return len(s) <= longestText && etcdKeyForm.MatchString(s) }

func isFlagName(s string) bool { return len(s) <= longestText && flagForm.MatchString(s) }

func isFileName(s string) bool { return len(s) <= longestText && fileNameForm.MatchString(s) }

func isSHA256(s string) bool { return sha256Form.MatchString(s) }

func isImage(s string) bool { return len(s) <= longestText && imageForm.MatchString(s) }

// upstreamAddress reads ADDRESS or ADDRESS:PORT.
func upstreamAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a, a.Is4()
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr(), err == nil && ap.Port() != 0 && ap.Addr().Is4()
}

func intRange(low, high int) string { return fmt.Sprintf("write one from %d to %d", low, high) }

// byKey yields every component with its key in the file.
func (all Components) byKey() iter.Seq2[string, Component] {
	return func(yield func(string, Component) bool) {
		v := reflect.ValueOf(all)
		for _, f := range fieldsOf(v.Type()) {
			if component, ok := v.FieldByIndex(f.index).Interface().(Component); ok && !yield(f.key, component) {
				return
			}
		}
	}
}

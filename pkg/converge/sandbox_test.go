package converge

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"provision/pkg/resource"
)

// sandbox is a directory in which the scripts run as on a host, without root:
// their constants point into it, and a stand-in for systemctl keeps the state of
// units in files. The real systemctl is asked in e2e.
type sandbox struct {
	t    *testing.T
	root string
	user string
	// shell runs the scripts.
	shell []string
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{t: t, root: t.TempDir(), user: account.Username, shell: []string{"sh"}}
	for _, dir := range []string{"bin", "units"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("bin/systemctl", systemctlStandIn)
	s.write("bin/journalctl", "#!/bin/sh\necho the last words of the unit\n")
	return s
}

// systemctlStandIn keeps, for each unit, a file that holds its state; a unit
// whose file units/NAME.fails exists does not start. Starts are logged.
const systemctlStandIn = `#!/bin/sh
units=${0%/bin/*}/units
action=
unit=
for word; do
	case $word in
	--property) skip=yes ;;
	-* | *,*) ;;
	show | status | restart | enable | disable | is-active | unmask | mask | daemon-reload | reset-failed) action=$word ;;
	*) unit=$word; set -- "$@" ;;
	esac
done
state() { [ -e "$units/$1.active" ] && echo active || echo inactive; }
case $action in
show)
	first=yes
	for word; do
		case $word in *.service)
			[ -n "$first" ] || echo
			first=
			echo "LoadState=loaded"
			echo "ActiveState=$(state "$word")"
			echo "SubState=$(state "$word")"
			if [ -e "$units/$word.enabled" ]; then echo UnitFileState=enabled; else echo UnitFileState=disabled; fi
			echo NeedDaemonReload=no ;;
		esac
	done ;;
restart)
	echo "restart $unit" >>"$units/log"
	[ ! -e "$units/$unit.fails" ] || exit 1
	: >"$units/$unit.active" ;;
is-active) [ -e "$units/$unit.active" ] ;;
enable) : >"$units/$unit.enabled" ;;
disable) rm -f "$units/$unit.enabled" "$units/$unit.active" ;;
status) echo "$unit is not well" ;;
esac
`

func (s *sandbox) path(name string) string { return filepath.Join(s.root, name) }

func (s *sandbox) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) read(name string) string {
	content, err := os.ReadFile(s.path(name))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(content)
}

func (s *sandbox) mode(name string) os.FileMode {
	s.t.Helper()
	info, err := os.Lstat(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return info.Mode().Perm()
}

// inside turns a script's constants to the sandbox.
func (s *sandbox) inside(script string) string {
	return strings.NewReplacer(
		"home=/var/lib/provision", "home="+s.path("home"),
		"PATH=/usr/local/sbin", "PATH="+s.path("bin")+":/usr/local/sbin",
		"0600 root root", "0600 "+s.user+" "+s.user,
	).Replace(script)
}

// run runs a script as provision does.
func (s *sandbox) run(script string, stdin []byte) (stdout, stderr string, err error) {
	args := append(append([]string{}, s.shell[1:]...), "-c", s.inside(script))
	command := exec.Command(s.shell[0], args...)
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// attributes are those of a file that this test may own.
func (s *sandbox) attributes(mode string) resource.Attributes {
	return resource.Attributes{Mode: mode, Owner: s.user, Group: s.user}
}

// stream is operations as provision sends them.
func stream(t *testing.T, ops ...resource.Op) []byte {
	t.Helper()
	script := newScript()
	script.ops = ops
	var out bytes.Buffer
	if _, err := out.ReadFrom(script.reader()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// eachShell runs a test with every shell that a host may have.
func eachShell(t *testing.T, test func(*testing.T, *sandbox)) {
	for name, shell := range map[string][]string{
		"dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "ash"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skipf("%s is not installed here", shell[0])
			}
			s := newSandbox(t)
			s.shell = shell
			test(t, s)
		})
	}
}

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
	// user and group are those of who runs the tests.
	user, group string
	// shell runs the scripts.
	shell []string
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(account.Gid)
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{t: t, root: t.TempDir(), user: account.Username, group: group.Name, shell: []string{"sh"}}
	for _, dir := range []string{"bin", "units"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("bin/systemctl", systemctlStandIn)
	s.write("bin/journalctl", "#!/bin/sh\necho the last words of the unit\n")
	return s
}

// systemctlStandIn keeps the state of units in files: units/NAME.active,
// .enabled, .masked, .changed (on disk), .fails, which keeps it from starting, as does
// the word bad in etc/NAME.conf,
// and .dies, which ends it at once, and .flaps: systemd starts it again and again. Starts are logged in units/log, all that changes something in
// units/calls, and units/NAME.started-with is etc/NAME.conf as it was then.
const systemctlStandIn = `#!/bin/sh
units=${0%/bin/*}/units
action=
unit=
for word; do
	case $word in
	-* | *,*) ;;
	show | status | restart | stop | enable | disable | is-active | unmask | daemon-reload | reset-failed) action=$word ;;
	*) unit=$word ;;
	esac
done
case $action in
show | status | is-active | reset-failed) ;;
*) echo "$action${unit:+ $unit}" >>"$units/calls" ;;
esac
has() { [ -e "$units/$unit.$1" ]; }
case $action in
show)
	first=yes
	for unit; do
		case $unit in *.service)
			[ -n "$first" ] || echo
			first=
			load=loaded active=inactive file=disabled changed=no
			! has active || active=active
			! has enabled || file=enabled
			! has masked || load=masked file=masked
			! has changed || changed=yes
			! has flaps || echo x >>"$units/$unit.flaps"
			! has flaps || echo "NRestarts=$(wc -l <"$units/$unit.flaps")"
			echo "LoadState=$load"
			echo "ActiveState=$active"
			echo "SubState=$active"
			echo "UnitFileState=$file"
			echo "NeedDaemonReload=$changed" ;;
		esac
	done ;;
restart)
	echo "restart $unit" >>"$units/log"
	if has fails || grep -qs bad "${units%/units}/etc/${unit%.service}.conf"; then
		rm -f "$units/$unit.active"
		exit 1
	fi
	cat "${units%/units}/etc/${unit%.service}.conf" >"$units/$unit.started-with" 2>/dev/null
	has dies || : >"$units/$unit.active" ;;
is-active) has active ;;
enable) : >"$units/$unit.enabled" ;;
stop) rm -f "$units/$unit.active" ;;
disable) rm -f "$units/$unit.enabled" "$units/$unit.active" ;;
unmask) rm -f "$units/$unit.masked" ;;
daemon-reload) rm -f "$units"/*.changed ;;
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

// inside turns a script's constants to the sandbox. A script without them would
// touch this machine.
func (s *sandbox) inside(script string) string {
	if strings.Contains(script, "exec 3<&0") && (!strings.Contains(script, "home=/var/lib/provision\n") || strings.Contains(script, "$run") && !strings.Contains(script, "\nrun=/run/provision\n") || !strings.Contains(script, "\nPATH=/usr/local/sbin:")) {
		s.t.Fatal("the script's constants have moved: the sandbox does not hold it")
	}
	return strings.NewReplacer(
		"home=/var/lib/provision", "home="+s.path("home"),
		"uploads=/var/tmp\n", "uploads="+s.path("uploads")+"\n",
		"run=/run/provision", "run="+s.path("run"),
		"PATH=/usr/local/sbin", "PATH="+s.path("bin")+":/usr/local/sbin",
		"0600 root root", "0600 "+s.user+" "+s.group,
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
	return resource.Attributes{Mode: mode, Owner: s.user, Group: s.group}
}

// apply runs operations, and returns what the script wrote on standard error.
func (s *sandbox) apply(ops ...resource.Op) (stderr string, err error) {
	s.t.Helper()
	_, stderr, err = s.run(applyScript, stream(s.t, ops...))
	return stderr, err
}

// mustApply runs operations that must succeed.
func (s *sandbox) mustApply(ops ...resource.Op) {
	s.t.Helper()
	if stderr, err := s.apply(ops...); err != nil {
		s.t.Fatal(err, stderr)
	}
}

// op is an operation in one line.
func op(verb string, args ...string) resource.Op { return resource.Op{Verb: verb, Args: args} }

// stream is operations as provision sends them.
func stream(t *testing.T, ops ...resource.Op) []byte {
	t.Helper()
	script := &script{ops: ops}
	operations, err := script.reader()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(operations); err != nil {
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
			t.Parallel()
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skipf("%s is not installed here", shell[0])
			}
			s := newSandbox(t)
			s.shell = shell
			test(t, s)
		})
	}
}

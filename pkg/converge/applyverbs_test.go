package converge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/pkg/resource"
)

func TestApplyScript_DirectoryAttributesAndRemoveDoWhatTheySay(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("file", "x")
		s.write("old", "x")
		s.mustApply(
			op("directory", s.path("a/b"), "0700", s.user, s.group),
			op("attributes", s.path("file"), "0440", s.user, s.group),
			op("remove", s.path("old")),
			op("remove", s.path("never there")),
		)
		if s.mode("a") != 0o755 || s.mode("a/b") != 0o700 || s.mode("file") != 0o440 {
			t.Errorf("modes %o, %o, %o", s.mode("a"), s.mode("a/b"), s.mode("file"))
		}
		if _, err := os.Lstat(s.path("old")); err == nil {
			t.Error("the file was not removed")
		}
	})
}

func TestApplyScript_WriteReplacesALinkItself(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("elsewhere", "kept")
	if err := os.Symlink(s.path("elsewhere"), s.path("link")); err != nil {
		t.Fatal(err)
	}
	s.mustApply(resource.WriteOp(s.path("link"), s.attributes("0600"), []byte("new")))
	if info, err := os.Lstat(s.path("link")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still one: %v, %v", info, err)
	}
	if s.read("link") != "new" || s.read("elsewhere") != "kept" {
		t.Errorf("link %q, elsewhere %q", s.read("link"), s.read("elsewhere"))
	}
}

// mv would move the file into the directory and call that success.
func TestApplyScript_RefusesALinkToAFolderInTheWay(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		if err := os.Symlink(s.path("units"), s.path("link")); err != nil {
			t.Fatal(err)
		}
		stderr, err := s.apply(resource.WriteOp(s.path("link"), s.attributes("0600"), []byte("new")))
		if err == nil || !strings.Contains(stderr, "move it away first") {
			t.Errorf("%v: %s", err, stderr)
		}
		if entries, _ := os.ReadDir(s.path("units")); len(entries) != 0 {
			t.Errorf("the file landed in the folder behind the link: %v", entries)
		}
	})
}

// A daemon that reads a folder's *.conf must not find the file before its time.
func TestApplyScript_TemporaryFilesLookLikeNobodysConfiguration(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/mv", "#!/bin/sh\nls -A "+s.path("net.d")+" >"+s.path("seen")+"\nexit 1\n")
	if _, err := s.apply(resource.WriteOp(s.path("net.d/10-flannel.conflist"), s.attributes("0600"), []byte("{}"))); err == nil {
		t.Fatal("it did not stop where the test wanted it to")
	}
	names := strings.Fields(s.read("seen"))
	if len(names) != 1 || !strings.HasPrefix(names[0], ".") || filepath.Ext(names[0]) == ".conflist" {
		t.Errorf("temporary files %q", names)
	}
}

// Who may write to a folder can't have root write somewhere else.
func TestApplyScript_DoesNotWriteThroughALinkAtTheTemporaryPath(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("victim", "kept")
		if err := os.Symlink(s.path("victim"), s.path(temporaryName("file"))); err != nil {
			t.Fatal(err)
		}
		s.mustApply(resource.WriteOp(s.path("file"), s.attributes("0600"), []byte("new")))
		if s.read("victim") != "kept" || s.read("file") != "new" {
			t.Errorf("victim %q, file %q", s.read("victim"), s.read("file"))
		}
	})
}

// temporaryName is where a file stands before it is put in place.
func temporaryName(name string) string { return "." + name + ".provision~" }

func TestApplyScript_InstallRefusesAFolderInTheWay(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("upload", "a program")
	stderr, err := s.apply(op("install", s.path("units"), "0755", s.user, s.group, resource.Sum([]byte("a program")), s.path("upload"), "stamp"))
	if err == nil || !strings.Contains(stderr, "is a directory; move it away first") {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestApplyScript_SysctlFailsWhereTheKernelRefuses(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("sys", "0\n")
		s.mustApply(op("sysctl", s.path("sys"), "1 2"))
		if s.read("sys") != "1 2\n" {
			t.Errorf("value %q", s.read("sys"))
		}
		if stderr, err := s.apply(op("sysctl", s.path("no such"), "1")); err == nil || !strings.Contains(stderr, "is a module missing?") {
			t.Errorf("missing: %v: %s", err, stderr)
		}
		if _, err := s.apply(op("sysctl", "/dev/full", "1")); err == nil { // write(2) fails there
			t.Error("a refused value was not noticed")
		}
	})
}

func TestApplyScript_ModuleIsLoaded(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/modprobe", "#!/bin/sh\necho \"$@\" >"+s.path("loaded")+"\n[ \"$2\" = overlay ]\n") // stands in for the real one
	s.mustApply(op("module", "overlay"))
	if s.read("loaded") != "-- overlay\n" {
		t.Errorf("modprobe %q", s.read("loaded"))
	}
	if _, err := s.apply(op("module", "nothing")); err == nil {
		t.Error("a module that does not load was not noticed")
	}
}

// aptStandIn installs only after an update, as on a host with old lists, and
// not while packages are half configured.
const aptStandIn = `#!/bin/sh
root=${0%/bin/*}
echo "$*" >>"$root/apt"
case $* in
*update*) : >"$root/updated" ;;
*unknown*) echo "E: Unable to locate package"; exit 100 ;;
*)
	if [ -e "$root/interrupted" ]; then
		echo "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
		exit 100
	fi
	[ -e "$root/updated" ] ;;
esac
`

// mendingDpkg configures what was left half configured.
const mendingDpkg = `#!/bin/sh
root=${0%/bin/*}
echo "$*" >>"$root/dpkg"
[ "$*" != "--configure -a" ] || rm -f "$root/interrupted"
[ ! -e "$root/dpkg-fails" ]
`

func TestApplyScript_PackagesAreInstalledAfterAnUpdateIfTheyMust(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("bin/apt-get", aptStandIn)
		s.write("bin/dpkg", mendingDpkg)
		s.mustApply(op("package", "apt-get", "one", "two"))
		install := "-q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install one two\n"
		if got := s.read("apt"); got != install+"-q update\n"+install {
			t.Errorf("apt-get was called with\n%s", got)
		}
		stderr, err := s.apply(op("package", "apt-get", "unknown"))
		if err == nil || !strings.Contains(stderr, "E: Unable to locate package") {
			t.Errorf("%v: %s", err, stderr)
		}
	})
}

// A run that is ended while packages are installed leaves them half configured.
func TestApplyScript_PackagesThatWereLeftHalfConfiguredAreMended(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		if s.shell[0] == "busybox" {
			t.Skip("it has a dpkg of its own and takes no stand-in")
		}
		s.write("bin/apt-get", aptStandIn)
		s.write("bin/dpkg", mendingDpkg)
		s.write("updated", "")
		s.mustApply(op("package", "apt-get", "one"))
		if _, err := os.Stat(s.path("dpkg")); err == nil {
			t.Error("dpkg was called where nothing was to mend")
		}
		s.write("interrupted", "")
		s.mustApply(op("package", "apt-get", "one"))
		if got := s.read("dpkg"); got != "--configure -a\n" {
			t.Errorf("dpkg was called with %q", got)
		}
		// dpkg may be busy for another; apt-get waits for that itself.
		s.write("interrupted", "")
		s.write("dpkg-fails", "")
		s.mustApply(op("package", "apt-get", "one"))
	})
}

func TestApplyScript_PackagesComeFromTheToolThatTheHostHas(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/dnf", "#!/bin/sh\necho \"$@\" >>"+s.path("dnf")+"\necho no such package; [ \"$4\" = chrony ]\n") // stands in for the real one
	s.mustApply(op("package", "dnf", "chrony"))
	if s.read("dnf") != "-q -y install chrony\n" {
		t.Errorf("dnf %q", s.read("dnf"))
	}
	if stderr, err := s.apply(op("package", "dnf", "nothing")); err == nil || !strings.Contains(stderr, "no such package") {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestApplyScript_UnitIsReadAgainUnmaskedAndEnabled(t *testing.T) {
	t.Parallel()
	load := op("unit-load", "web.service")
	tests := []struct {
		name, state string
		ops         []resource.Op
		writes      bool
		want        string
	}{
		{"nothing to read again", "", []resource.Op{load}, false, ""},
		{"unit file written by this run", "", []resource.Op{load, op("unit-load", "other.service")}, true, "daemon-reload\n"},
		{"unit file written before", "changed", []resource.Op{load}, false, "daemon-reload\n"},
		{"masked", "masked", []resource.Op{load}, false, "unmask web.service\n"},
		{"enabled and stopped", "", []resource.Op{op("unit-enable", "web.service"), op("unit-stop", "web.service")}, false, "enable web.service\ndisable web.service\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSandbox(t)
			s.write("units/calls", "")
			if tt.state != "" {
				s.write("units/web.service."+tt.state, "")
			}
			ops := tt.ops
			if tt.writes {
				ops = append([]resource.Op{resource.WriteOp(s.path("etc/systemd/system/web.service"), s.attributes("0644"), nil)}, ops...)
			}
			s.mustApply(ops...)
			if got := s.read("units/calls"); got != tt.want {
				t.Errorf("systemctl was told %q, want %q", got, tt.want)
			}
		})
	}
}

func TestApplyScript_CommandThatHangsEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("bin/hang", "#!/bin/sh\nexec sleep 60\n")
		if stderr, err := s.apply(op("wait", "1", "hang")); err == nil || !strings.Contains(stderr, "hang: exit status") {
			t.Errorf("%v: %s", err, stderr)
		}
	})
}

// A host's clock is set by the very run that waits: chrony steps it.
func TestApplyScript_WaitDoesNotDependOnTheClock(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.write("bin/date", "#!/bin/sh\necho x >>"+s.path("tries")+"\necho $(($(wc -l <"+s.path("tries")+") * 3600))\n") // an hour at each look
	s.write("bin/count", "#!/bin/sh\necho x >>"+s.path("counts")+"\n[ $(wc -l <"+s.path("counts")+") -ge 3 ]\n")
	s.mustApply(op("wait", "60", "count"))
}

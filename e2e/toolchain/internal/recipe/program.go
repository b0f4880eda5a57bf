// Package recipe says what the toolchain makes and under which cache key. It
// reads go.mod files; it builds nothing.
package recipe

import "strings"

// A Program is one static binary.
type Program struct {
	// Name is the file name in the output directory.
	Name string
	// Component is the folder, below the toolchain's, whose go.mod pins the
	// program; "." for the programs whose source is here.
	Component string
	// Package is what `go build` is given.
	Package string
	// Module is the module whose version counts as the program's version.
	Module string
	// Version is set for the programs whose source is here; for all others
	// the component's go.mod has it.
	Version string
	// Cgo says that C code is linked in (statically).
	Cgo  bool
	Tags []string
	// Variables are the linker's -X settings: importpath.name=value. Values may
	// use {version} (v1.2.3), {bare} (1.2.3), {major}, {minor} and {sum} (the
	// module's checksum in hex).
	Variables []string
	// VersionArgs make the program print its version, which must contain
	// {bare}: a stamp that a new release moved elsewhere is found at build
	// time, not by a kubelet that refuses its apiserver. Nil: nothing to ask.
	VersionArgs []string
	// Needs are the Debian packages that the build needs beyond Go.
	Needs []string
	// Private programs only go into an image.
	Private bool
}

// Programs returns all programs in build order: the longest component first,
// so that a second lane can work through the rest meanwhile.
func Programs() []Program {
	var all []Program
	all = append(all, kubernetes()...)
	all = append(all, coredns())
	all = append(all, containerd()...)
	all = append(all, registry())
	all = append(all, etcd()...)
	all = append(all, flannel(), runc())
	all = append(all, cni()...)
	return append(all, own()...)
}

// kubernetes' programs compare their versions with each other's, so they are
// stamped as a release is. The module proxy's zip has no git commit; the
// module's checksum identifies the source as well.
func kubernetes() []Program {
	var stamp []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		stamp = append(stamp,
			pkg+".gitVersion={version}", pkg+".gitMajor={major}", pkg+".gitMinor={minor}",
			pkg+".gitCommit={sum}", pkg+".gitTreeState=archive", pkg+".buildDate=1970-01-01T00:00:00Z")
	}
	var programs []Program
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		p := Program{
			Name: name, Component: "kubernetes", Module: "k8s.io/kubernetes",
			Package:   "k8s.io/kubernetes/cmd/" + name,
			Variables: stamp, VersionArgs: []string{"--version"},
		}
		if name == "kubectl" {
			p.VersionArgs = []string{"version", "--client"}
		}
		programs = append(programs, p)
	}
	return programs
}

func etcd() []Program {
	program := func(name, module, versionArg string) Program {
		return Program{
			Name: name, Component: "etcd", Package: module, Module: module,
			VersionArgs: []string{versionArg},
		}
	}
	return []Program{
		program("etcd", "go.etcd.io/etcd/server/v3", "--version"),
		program("etcdctl", "go.etcd.io/etcd/etcdctl/v3", "version"),
		program("etcdutl", "go.etcd.io/etcd/etcdutl/v3", "version"),
	}
}

// flannel's udp backend is C on amd64, hence cgo.
func flannel() Program {
	return Program{
		Name: "flanneld", Component: "flannel",
		Package: "github.com/flannel-io/flannel", Module: "github.com/flannel-io/flannel",
		Cgo: true, Tags: []string{"netgo", "osusergo"},
		Variables:   []string{"github.com/flannel-io/flannel/pkg/version.Version={version}"},
		VersionArgs: []string{"--version"},
		Needs:       []string{"gcc", "libc6-dev"},
	}
}

// containerd is built without the snapshotters that need a special file system
// or device mapper; overlayfs and native remain.
func containerd() []Program {
	const module = "github.com/containerd/containerd/v2"
	tags := []string{"urfave_cli_no_docs", "osusergo", "netgo", "static_build", "no_btrfs", "no_devmapper", "no_zfs"}
	program := func(name, versionArg string, extraTags ...string) Program {
		return Program{
			Name: name, Component: "containerd", Package: module + "/cmd/" + name, Module: module,
			Tags:        append(extraTags, tags...),
			Variables:   []string{module + "/version.Version={version}"},
			VersionArgs: []string{versionArg},
		}
	}
	return []Program{
		program("containerd", "--version"),
		program("containerd-shim-runc-v2", "-v", "no_grpc"),
		program("ctr", "--version"),
	}
}

// runc has its C part (nsenter) and seccomp, which needs libseccomp.a; without
// it a pod with the RuntimeDefault profile would not start. pathrs is left out:
// its library is Rust and Debian has none.
func runc() Program {
	return Program{
		Name: "runc", Component: "runc",
		Package: "github.com/opencontainers/runc", Module: "github.com/opencontainers/runc",
		Cgo: true, Tags: []string{"seccomp", "netgo", "osusergo", "urfave_cli_no_docs"},
		VersionArgs: []string{"--version"},
		Needs:       []string{"gcc", "libc6-dev", "pkg-config", "libseccomp-dev"},
	}
}

func cni() []Program {
	const module = "github.com/containernetworking/plugins"
	var programs []Program
	for _, folder := range []string{"main/bridge", "main/loopback", "ipam/host-local", "meta/portmap"} {
		programs = append(programs, Program{
			Name: folder[strings.Index(folder, "/")+1:], Component: "cni",
			Package: module + "/plugins/" + folder, Module: module,
			Variables:   []string{module + "/pkg/utils/buildversion.BuildVersion={version}"},
			VersionArgs: []string{},
		})
	}
	return programs
}

func registry() Program {
	const module = "github.com/distribution/distribution/v3"
	return Program{
		Name: "registry", Component: "registry", Package: module + "/cmd/registry", Module: module,
		Variables:   []string{module + "/version.version={version}"},
		VersionArgs: []string{"--version"},
	}
}

func coredns() Program {
	const module = "github.com/coredns/coredns"
	return Program{
		Name: "coredns", Component: "coredns", Package: module, Module: module,
		VersionArgs: []string{"-version"},
	}
}

// own are the programs whose source is in this module; they only go into images.
func own() []Program {
	program := func(name string) Program {
		return Program{
			Name: name, Component: ".", Package: "./" + name, Module: "provision/e2e/toolchain",
			Version: "v1", Private: true,
		}
	}
	return []Program{program("pause"), program("sample")}
}

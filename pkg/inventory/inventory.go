// Package inventory owns the file that names a cluster's hosts and settings:
// its types, strict decoding, defaults, validation and JSON Schema. It reads
// bytes and touches no network.
package inventory

import (
	"net/netip"
	"time"
)

// The tags of these types drive decoding, JSON Schema and reference alike:
//
//	yaml      the key, or ",inline"
//	default   the value of a key that is not given
//	enum      the only values allowed, separated by commas
//	example   a value to show in hints, schema and reference
//	required  "true": the key must be given
//	min, max  the bounds of a number
//	scalar    "true": a bare scalar in place of the mapping is this key's value
//	inherit   the key of the inventory that gives what is not given here

// Inventory is one cluster as its operator declares it.
//
// A value returned by Load or Parse is complete: defaults are filled in, hosts
// have inherited what they did not override, and it has been validated.
type Inventory struct {
	// Cluster names the cluster in kubeconfigs and reports. A lower-case DNS
	// label (RFC 1123).
	Cluster string `yaml:"cluster" default:"kubernetes"`
	// Master is the host that runs etcd and the control plane.
	Master Hosts `yaml:"master" required:"true" example:"10.25.31.44"`
	// Slaves are the hosts that run pods.
	Slaves Hosts `yaml:"slaves" required:"true" example:"[10.25.31.45, 10.25.31.109]"`
	// Registry is the host that serves container images. It may be one of the
	// other hosts, given again with the same name and settings.
	Registry Registry `yaml:"registry" required:"true" example:"10.25.31.102"`
	// SSH is how every host is reached; a host may override it.
	SSH SSH `yaml:"ssh"`
	// Kubernetes chooses the version, and with it the template set.
	Kubernetes Kubernetes `yaml:"kubernetes"`
	// Network is the pod network.
	Network Network `yaml:"network"`
	// Services is the range of service addresses and node ports.
	Services Services `yaml:"services"`
	// DNS is the cluster's name service.
	DNS DNS `yaml:"dns"`
	// Time is where clocks are set from.
	Time Time `yaml:"time"`
	// Artifacts are where programs and images come from.
	Artifacts Artifacts `yaml:"artifacts" required:"true" example:"{dir: artifacts}"`
	// Components changes flags and settings of single components on all hosts.
	Components Components `yaml:"components"`
	// Verify is what the verification runs.
	Verify Verify `yaml:"verify"`
}

// Hosts is one host or a list of hosts; YAML may give either.
type Hosts []Host

// Host is one machine: a mapping, or its bare address where nothing else needs
// saying.
type Host struct {
	// Name is the host's name in the cluster, in reports and in --limit; the
	// address when not given. A lower-case DNS label or subdomain (RFC 1123).
	Name string `yaml:"name" example:"centos72"`
	// Address is where the host is reached by SSH and by the cluster. IPv4.
	Address netip.Addr `yaml:"address" required:"true" scalar:"true" example:"10.25.31.45"`
	// SSH overrides the inventory's ssh settings for this host, key by key.
	SSH SSH `yaml:"ssh" inherit:"ssh"`
	// Components overrides the inventory's components on this host: extraArgs
	// flag by flag, config key by key at every depth.
	Components Components `yaml:"components" inherit:"components"`
}

// Registry is the image registry's host and how it serves: a host's keys and
// these.
type Registry struct {
	Host `yaml:",inline"`
	// Port is the TCP port that the registry listens on.
	Port uint16 `yaml:"port" default:"5000" min:"1"`
}

// SSH is how a host is reached. What is not given here comes from the
// operator's ssh_config(5), by the host's name or address, else from the
// defaults that docs/ssh.md lists.
type SSH struct {
	// User is the login name: root, or a user who may become root with sudo or
	// doas. Root when ssh_config names none.
	User string `yaml:"user,omitempty" example:"ops"`
	// Port is the TCP port of the host's SSH server. 22 when ssh_config names
	// none.
	Port uint16 `yaml:"port,omitempty" min:"1" example:"2222"`
	// IdentityFile is a private key, which is then the only one offered; without
	// it those of ssh_config, or the agent's and the usual files of ~/.ssh are.
	// Relative paths start at the inventory's folder.
	IdentityFile string `yaml:"identityFile,omitempty" example:"~/.ssh/id_ed25519"`
	// KnownHosts is the file of trusted host keys (sshd(8), SSH_KNOWN_HOSTS
	// FILE FORMAT). ~/.ssh/known_hosts when ssh_config names none. Relative
	// paths start at the inventory's folder.
	KnownHosts string `yaml:"knownHosts,omitempty" example:"known_hosts"`
	// HostKeys are the keys that the host has, each a type and a fingerprint as
	// "provision hostkeys scan" shows them. Known_hosts is not asked then.
	HostKeys []string `yaml:"hostKeys,omitempty" example:"[ssh-ed25519 SHA256:2VbkODIJsn2+lbWVqLuSM4Hjtg/Dt2jYEDBfYaC1h6E]"`
	// UnknownHosts tells what happens to a host whose key is not known: strict
	// refuses it, accept-new writes its key to known_hosts. A key that has
	// changed is always refused. Strict when ssh_config says nothing.
	UnknownHosts string `yaml:"unknownHosts,omitempty" enum:"strict,accept-new" example:"accept-new"`
	// Jump are the hosts to go through, as ssh_config's ProxyJump has them:
	// [USER@]HOST[:PORT], separated by commas; none for a direct connection.
	Jump string `yaml:"jump,omitempty" example:"ops@bastion.example.com"`
	// Config is the ssh_config file to read in place of ~/.ssh/config and
	// /etc/ssh/ssh_config; none for no file. Relative paths start at the
	// inventory's folder.
	Config string `yaml:"config,omitempty" example:"ssh_config"`
	// ConnectTimeout bounds connecting and logging in. 10s when ssh_config
	// names none.
	ConnectTimeout time.Duration `yaml:"connectTimeout,omitempty" example:"10s"`
	// CommandTimeout bounds each command on the host.
	CommandTimeout time.Duration `yaml:"commandTimeout" default:"30m"`
	// KeepAlive is how long a host may be silent before it is asked whether it
	// is still there; after three questions without an answer it is given up.
	// 5s when ssh_config names no ServerAliveInterval.
	KeepAlive time.Duration `yaml:"keepAlive,omitempty" example:"5s"`
}

// Kubernetes chooses what is installed.
type Kubernetes struct {
	// Version is MAJOR.MINOR or MAJOR.MINOR.PATCH; it picks the template set.
	Version Version `yaml:"version" default:"1.36.3"`
}

// Network is the pod network.
type Network struct {
	// Plugin is what connects pods of different hosts.
	Plugin string `yaml:"plugin" default:"flannel" enum:"flannel"`
	// PodCIDR is the range that pod addresses come from. It holds no host's
	// address and does not overlap services.cidr.
	PodCIDR netip.Prefix `yaml:"podCIDR" default:"172.17.0.0/16"`
	// Flannel are the settings of the flannel plugin.
	Flannel Flannel `yaml:"flannel"`
}

// Flannel is the flannel plugin's configuration.
type Flannel struct {
	// Key is the etcd prefix under which flannel keeps its network.
	Key string `yaml:"key" default:"/coreos.com/network"`
	// Backend is what carries packets between hosts: vxlan works everywhere,
	// host-gw is faster and needs all hosts in one layer-2 network.
	Backend string `yaml:"backend" default:"vxlan" enum:"vxlan,host-gw"`
	// SubnetLength is the prefix length of each host's share of the pod CIDR.
	SubnetLength int `yaml:"subnetLength" default:"24" min:"1" max:"30"`
	// Interface is the network interface that carries pod traffic; the one
	// that holds the host's address when not given.
	Interface string `yaml:"interface" example:"eth1"`
}

// Services is the range of service addresses and node ports.
type Services struct {
	// CIDR is the range of service addresses, from /12 to /28. Its first
	// address is the API's.
	CIDR netip.Prefix `yaml:"cidr" default:"10.254.0.0/16"`
	// NodePorts is the range of ports that services open on every slave.
	NodePorts PortRange `yaml:"nodePorts" default:"30000-32767"`
}

// DNS is the cluster's name service.
type DNS struct {
	// Domain is the cluster's DNS domain.
	Domain string `yaml:"domain" default:"cluster.local"`
	// Address is the service address of the name server: inside services.cidr,
	// and not its first address, which is the API's. The tenth address of
	// services.cidr when not given.
	Address netip.Addr `yaml:"address" example:"10.254.0.10"`
	// Upstream are the name servers asked about other domains, each ADDRESS or
	// ADDRESS:PORT; those of the host that runs the name server when empty.
	Upstream []string `yaml:"upstream" example:"[10.25.31.1]"`
}

// Time is where clocks are set from.
type Time struct {
	// Servers are NTP servers of the master; the slaves and the registry follow
	// the master. Without servers the master's own clock leads.
	Servers []string `yaml:"servers" example:"[0.pool.ntp.org, 10.25.31.1]"`
}

// Artifacts are where programs and images come from: a directory on the
// operator's machine or a URL, one of them. Every file is listed with its
// SHA-256 in SHA256SUMS there, in the format of sha256sum(1).
type Artifacts struct {
	// Dir is a directory; relative paths start at the inventory's folder.
	Dir string `yaml:"dir" example:"artifacts"`
	// URL is an http or https base; the operator's machine downloads from it.
	URL string `yaml:"url" example:"https://mirror.example.com/kubernetes/v1.36.3"`
	// Sums adds to or overrides what SHA256SUMS says: file name to sum.
	Sums map[string]string `yaml:"sums"`
}

// Verify is what the verification runs.
type Verify struct {
	// Image is the image that a short-lived ReplicationController runs; it must
	// answer HTTP on the port below. The template set's sample image when not
	// given.
	Image string `yaml:"image" example:"10.25.31.102:5000/tomcat8"`
	// Port is the container port that answers.
	Port uint16 `yaml:"port" default:"8080" min:"1"`
}

// Components are the programs whose flags and settings can be changed, each
// with the keys of a component.
type Components struct {
	// Etcd is the control plane's store, on the master.
	Etcd Component `yaml:"etcd"`
	// APIServer is the Kubernetes API's server, kube-apiserver, on the master.
	APIServer Component `yaml:"apiserver"`
	// ControllerManager is what keeps objects as declared, the program
	// kube-controller-manager, on the master.
	ControllerManager Component `yaml:"controllerManager"`
	// Scheduler is what gives pods their slaves, the program kube-scheduler, on
	// the master.
	Scheduler Component `yaml:"scheduler"`
	// Kubelet is the agent that runs pods, on every slave.
	Kubelet Component `yaml:"kubelet"`
	// Proxy is what leads service addresses to pods, the program kube-proxy, on
	// every slave.
	Proxy Component `yaml:"proxy"`
	// Flannel is what connects pods of different hosts, the program flanneld.
	Flannel Component `yaml:"flannel"`
	// Containerd is the container runtime, on every slave.
	Containerd Component `yaml:"containerd"`
	// CoreDNS is the cluster's name server.
	CoreDNS Component `yaml:"coredns"`
	// Registry is the image registry, on the registry host.
	Registry Component `yaml:"registry"`
}

// Component changes one program's flags and settings.
type Component struct {
	// ExtraArgs are command-line flags without their dashes. They override the
	// template's flag of the same name; null removes that flag.
	ExtraArgs map[string]*string `yaml:"extraArgs"`
	// Config is what to merge into the program's configuration file, key by
	// key.
	Config map[string]any `yaml:"config"`
}

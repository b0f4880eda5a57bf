package nspawn

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"provision/e2e/lab/internal/image"
)

// dataDirs returns the directories of a host that lie on the machine's own file system: container runtimes mount overlays
// in theirs, which cannot be done on an overlay, and etcd shall really wait for its disk.
func dataDirs() []string {
	return []string{"/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/etcd"}
}

func dataDir(lab, host, dir string) string {
	return filepath.Join(hostDir(lab, host), "data", filepath.Base(dir))
}

// mountDisk makes a host's disk, an overlay on its image, and mounts it.
func (s *state) mountDisk(h hostState) error {
	base := hostDir(s.Name, h.Name)
	dirs := []string{filepath.Join(base, "upper"), filepath.Join(base, "work"), rootDir(s.Name, h.Name)}
	for _, dir := range dataDirs() {
		dirs = append(dirs, dataDir(s.Name, h.Name, dir))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make disk of %s: %w", h.Name, err)
		}
	}
	// volatile: nobody needs these disks after the machine crashed, so dpkg's many syncs may cost nothing.
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,volatile", h.Image, dirs[0], dirs[1])
	if err := unix.Mount("overlay", dirs[2], "overlay", 0, options); err != nil {
		return fmt.Errorf("mount disk of %s: %w", h.Name, err)
	}
	return nil
}

// personalise writes to a mounted disk what makes the host itself: name, address, keys.
func (s *state) personalise(h hostState, hostKeys []keyPair) error {
	resolver, err := resolverConfig()
	if err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id)
	files := map[string]string{
		"/etc/hostname":    h.Name + "\n",
		"/etc/hosts":       s.hostsFile(),
		"/etc/machine-id":  hex.EncodeToString(id) + "\n",
		"/etc/resolv.conf": resolver,
		image.EnvFile:      fmt.Sprintf("LAB_ADDRESS=%s/%d\nLAB_GATEWAY=%s\n", h.Addr, s.Subnet.Bits(), gatewayOf(s.Subnet)),
	}
	for _, key := range hostKeys {
		file := "/etc/ssh/ssh_host_" + key.kind + "_key"
		files[file], files[file+".pub"] = string(key.private), key.authorized+" root@"+h.Name+"\n"
	}
	for path, text := range files {
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(path, "_key") {
			mode = 0o600
		}
		path = filepath.Join(rootDir(s.Name, h.Name), path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
			return fmt.Errorf("make %s itself: %w", h.Name, err)
		}
	}
	return s.authorise(h)
}

// authorise lets the lab's key in as root and, where there is one, as the operator.
func (s *state) authorise(h hostState) error {
	key, err := os.ReadFile(keyFile(s.Name) + ".pub")
	if err != nil {
		return fmt.Errorf("read key of lab %s: %w", s.Name, err)
	}
	for _, home := range []string{"/root", "/home/" + image.Ops} {
		home = filepath.Join(rootDir(s.Name, h.Name), home)
		info, err := os.Stat(home)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("let the lab's key into %s: %w", h.Name, err)
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("let the lab's key into %s: %s has no owner", h.Name, home)
		}
		dir := filepath.Join(home, ".ssh")
		file := filepath.Join(dir, "authorized_keys")
		err = errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, key, 0o600),
			os.Chown(dir, int(owner.Uid), int(owner.Gid)), os.Chown(file, int(owner.Uid), int(owner.Gid)))
		if err != nil {
			return fmt.Errorf("let the lab's key into %s: %w", h.Name, err)
		}
	}
	return nil
}

// hostsFile is /etc/hosts with all hosts of the lab.
func (s *state) hostsFile() string {
	var text strings.Builder
	text.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, h := range s.Hosts {
		text.WriteString(hostsLine(h))
	}
	return text.String()
}

func hostsLine(h hostState) string { return fmt.Sprintf("%s\t%s\n", h.Addr, h.Name) }

// announce adds the line of a new host to the other hosts' /etc/hosts or, if it is leaving, takes it out. What others wrote
// there stays.
func (s *state) announce(guest hostState, leaving bool) error {
	for _, h := range s.Hosts {
		if h.Name == guest.Name {
			continue
		}
		path := filepath.Join(rootDir(s.Name, h.Name), "/etc/hosts")
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("tell %s of %s: %w", h.Name, guest.Name, err)
		}
		if err := os.WriteFile(path, []byte(editHosts(string(text), guest, leaving)), 0o644); err != nil {
			return fmt.Errorf("tell %s of %s: %w", h.Name, guest.Name, err)
		}
	}
	return nil
}

func editHosts(text string, guest hostState, leaving bool) string {
	line := hostsLine(guest)
	switch {
	case leaving:
		return strings.Replace(text, line, "", 1)
	case strings.Contains("\n"+text, "\n"+line):
		return text
	case text != "" && !strings.HasSuffix(text, "\n"):
		return text + "\n" + line
	default:
		return text + line
	}
}

// resolverConfig is the machine's resolv.conf, or that behind it where the machine asks a resolver of its own: a host
// cannot reach the machine's loopback.
func resolverConfig() (string, error) {
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the machine's resolver: %w", err)
		}
		if !strings.Contains(string(text), "nameserver 127.") {
			return string(text), nil
		}
	}
	return "", nil
}

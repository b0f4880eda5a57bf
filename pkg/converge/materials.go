package converge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"provision/pkg/pki"
	"provision/pkg/remote"
	"provision/pkg/resource"
)

// materials supplies what one stage of one host needs beyond its plan.
type materials struct {
	ctx   context.Context
	run   *run
	host  string
	stage string
}

var _ resource.Materials = (*materials)(nil)

// Authority returns an authority's certificate and key.
func (m *materials) Authority(name string) (certPEM, keyPEM []byte, err error) {
	authority, err := m.run.signers.authority(m.ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return authority.CertPEM(), authority.KeyPEM(), nil
}

// Issue makes a certificate that is valid from now for a year.
func (m *materials) Issue(c resource.Certificate) (certPEM, keyPEM []byte, err error) {
	authority, err := m.run.signers.authority(m.ctx, c.Authority)
	if err != nil {
		return nil, nil, err
	}
	return authority.Issue(time.Now(), c.Request, pki.LeafValidity)
}

// Random fills in the placeholders for secrets.
func (m *materials) Random(content []byte) ([]byte, error) {
	for bytes.Contains(content, []byte(resource.RandomPlaceholder)) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails: crypto/rand
		text := base64.StdEncoding.EncodeToString(secret)
		content = bytes.Replace(content, []byte(resource.RandomPlaceholder), []byte(text), 1)
	}
	for bytes.Contains(content, []byte(resource.KeyPlaceholder)) {
		key, err := pki.NewKeyPEM()
		if err != nil {
			return nil, err
		}
		content = bytes.Replace(content, []byte(resource.KeyPlaceholder), key, 1)
	}
	return content, nil
}

// Staged uploads an artifact.
func (m *materials) Staged(a resource.Artifact) (string, error) {
	content, size, err := m.run.Artifacts.Open(m.ctx, a.Source, a.Sum)
	if err != nil {
		return "", err
	}
	defer content.Close()
	event := Event{Kind: EventUploadStarted, Host: m.host, Stage: m.stage, Resource: a.ID(), Total: size}
	m.run.emit(event)
	event.Kind = EventUploadMoved
	path, err := m.run.Hosts[m.host].Upload(m.ctx, a.Source, size, content, func(n int64) {
		moved := event
		moved.Bytes = n
		m.run.emit(moved)
	})
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", a.Source, err)
	}
	return path, nil
}

// Push pushes an image through the host's connection.
func (m *materials) Push(image resource.Image) (string, error) {
	authority, err := m.run.signers.certificate(m.ctx, image.Authority)
	if err != nil {
		return "", err
	}
	return m.run.PushImage(m.ctx, m.run.Hosts[m.host], image, m.run.Artifacts, authority)
}

// signers holds the authorities of a run, each read from its host or made at
// the first use. Keys stay in memory.
type signers struct {
	mutex  sync.Mutex
	homes  map[string]authorityHome
	hosts  map[string]Connection
	loaded map[string]*pki.Authority
}

func newSigners(plan *Plan, hosts map[string]Connection) *signers {
	return &signers{homes: plan.authorities, hosts: hosts, loaded: map[string]*pki.Authority{}}
}

func (s *signers) home(name string) (authorityHome, error) {
	home, ok := s.homes[name]
	switch {
	case !ok:
		return home, fmt.Errorf("no host has an authority %s", name)
	case home.err != nil:
		return home, fmt.Errorf("authority %s is on %s, which could not be looked at; run again when it can", name, home.host)
	}
	return home, nil
}

// certificate is an authority's certificate, without a look at its key where
// the certificate is known already.
func (s *signers) certificate(ctx context.Context, name string) ([]byte, error) {
	home, err := s.home(name)
	if err != nil {
		return nil, err
	}
	if len(home.certPEM) > 0 {
		return home.certPEM, nil
	}
	authority, err := s.authority(ctx, name)
	if err != nil {
		return nil, err
	}
	return authority.CertPEM(), nil
}

func (s *signers) authority(ctx context.Context, name string) (*pki.Authority, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if authority := s.loaded[name]; authority != nil {
		return authority, nil
	}
	home, err := s.home(name)
	if err != nil {
		return nil, err
	}
	authority, err := s.load(ctx, home)
	if err != nil {
		return nil, fmt.Errorf("authority %s of %s: %w", name, home.host, err)
	}
	s.loaded[name] = authority
	return authority, nil
}

func (s *signers) load(ctx context.Context, home authorityHome) (*pki.Authority, error) {
	if len(home.certPEM) == 0 {
		return pki.NewAuthority(time.Now(), home.authority.CommonName, pki.CAValidity)
	}
	result, err := s.hosts[home.host].Run(ctx, remote.Command{Args: []string{"cat", "--", home.authority.KeyPath}, Privileged: true, Secret: true})
	if err != nil {
		return nil, fmt.Errorf("read its key: %w", err)
	}
	return pki.ParseAuthority(home.certPEM, result.Stdout, time.Now())
}

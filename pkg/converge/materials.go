package converge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
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

// Authority returns an authority's certificate, and its key where this run makes
// it: of an authority that a host has, the key is read for signing only.
func (m *materials) Authority(name string) (certPEM, keyPEM []byte, err error) {
	home, err := m.run.signers.home(name)
	if err != nil {
		return nil, nil, err
	}
	if len(home.certPEM) > 0 {
		return home.certPEM, nil, nil
	}
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
	path, err := m.run.Hosts[m.host].Upload(m.ctx, remote.File{
		Name: a.Source, Size: size, Sum: a.Sum, Content: content, Progress: func(n int64) {
			moved := event
			moved.Bytes = n
			m.run.emit(moved)
		},
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

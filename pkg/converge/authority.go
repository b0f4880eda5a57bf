package converge

import (
	"context"
	"fmt"
	"sync"
	"time"

	"provision/pkg/pki"
	"provision/pkg/remote"
	"provision/pkg/resource"
)

// authorityHome is where a certificate authority lives.
type authorityHome struct {
	host      string
	authority resource.Authority
	// certPEM is empty while the authority is still to be made; unsigned tells
	// that its key is there already.
	certPEM  []byte
	unsigned bool
	// err tells why nobody can know what the authority is, nor sign with it.
	err error
}

// findAuthorities looks for the host of each authority. One that is there in
// part is not one to be made: others would get certificates of an authority that
// its own host then refuses to write.
func findAuthorities(desired []resource.Host, observed map[string]Observation) map[string]authorityHome {
	homes := map[string]authorityHome{}
	for _, host := range desired {
		for _, r := range host.Resources() {
			authority, ok := r.(resource.Authority)
			if !ok {
				continue
			}
			home := authorityHome{host: host.Name, authority: authority}
			if other, twice := homes[authority.Name]; twice {
				home.err = fmt.Errorf("authority %s is declared for %s and for %s; it can live on one host only", authority.Name, other.host, host.Name)
			} else {
				home.look(observed[host.Name])
			}
			homes[authority.Name] = home
		}
	}
	return homes
}

// look finds the certificate of an authority, nothing when its host has neither
// that nor a key, or a key that nothing was signed with.
func (home *authorityHome) look(seen Observation) {
	a := home.authority
	if seen.Err != nil {
		home.err = fmt.Errorf("authority %s is on %s, which could not be looked at; run again when it can", a.Name, home.host)
		return
	}
	cert, hasCert := seen.Facts.Files[a.CertPath]
	_, hasKey := seen.Facts.Files[a.KeyPath]
	home.certPEM = cert.Content
	home.unsigned = a.Unsigned(resource.View{Facts: seen.Facts, Last: seen.Record.Last(a.ID())})
	if len(home.certPEM) == 0 && !home.unsigned && (hasCert || hasKey) {
		home.err = fmt.Errorf("authority %s of %s: %s and %s are not both whole; put them back from a backup, or move both away to start a new authority, which replaces every certificate", a.Name, home.host, a.CertPath, a.KeyPath)
	}
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
	if !ok {
		return home, fmt.Errorf("no host has an authority %s", name)
	}
	return home, home.err
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
	if len(home.certPEM) == 0 && !home.unsigned {
		return pki.NewAuthority(time.Now(), home.authority.CommonName, pki.CAValidity)
	}
	result, err := s.hosts[home.host].Run(ctx, remote.Command{Args: []string{"cat", "--", home.authority.KeyPath}, Privileged: true, Secret: true})
	if err != nil {
		return nil, fmt.Errorf("read its key: %w", err)
	}
	if home.unsigned {
		return pki.ResignAuthority(time.Now(), home.authority.CommonName, pki.CAValidity, result.Stdout)
	}
	return pki.ParseAuthority(home.certPEM, result.Stdout, time.Now())
}

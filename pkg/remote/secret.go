package remote

import (
	"context"
	"errors"
	"sync"
)

// SecretKind is what a secret opens.
type SecretKind string

// The kinds of secrets.
const (
	Passphrase   SecretKind = "passphrase"    // of a private key file
	Password     SecretKind = "password"      // of a login
	SudoPassword SecretKind = "sudo password" // of a login, that sudo asks for
	Answer       SecretKind = "answer"        // to another question of a host, RFC 4256
)

// Secret is something that only the operator knows.
type Secret struct {
	Kind SecretKind
	// Subject is what it is for: the key file, the login's name, or host and question.
	Subject string
	// For names the host that wants it first; others with the same Kind and Subject get it too.
	For string
}

// key is what makes secrets one and the same.
func (s Secret) key() Secret { return Secret{Kind: s.Kind, Subject: s.Subject} }

// ErrNoSecret is what Options.Ask returns when there is nobody to ask.
var ErrNoSecret = errors.New("there is nobody to ask")

// secrets asks for each secret once per run, whatever the number of hosts that want it, and for one at a time.
type secrets struct {
	ask   func(ctx context.Context, secret Secret, attempt int) (string, error)
	turn  chan struct{} // held by who asks
	mu    sync.Mutex
	known map[Secret]string
	none  map[Secret]error // the operator gave none
}

func newSecrets(ask func(context.Context, Secret, int) (string, error)) *secrets {
	if ask == nil {
		ask = func(context.Context, Secret, int) (string, error) { return "", ErrNoSecret }
	}
	return &secrets{ask: ask, turn: make(chan struct{}, 1), known: map[Secret]string{}, none: map[Secret]error{}}
}

// maxAttempts is how often a secret is asked for that can be tried here, as ssh does (ssh_config(5), NumberOfPasswordPrompts).
const maxAttempts = 3

// get returns a secret. One that proves, which tries it, refuses is asked for again; proves may be nil. An Answer is asked
// for each time: it may be good for once.
func (s *secrets) get(ctx context.Context, secret Secret, proves func(string) error) (string, error) {
	if value, err, ok := s.look(secret); ok {
		return value, err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if value, err, ok := s.look(secret); ok {
		return value, err
	}
	var wrong error
	for attempt := range maxAttempts {
		value, err := s.ask(ctx, secret, attempt)
		if err != nil {
			return "", s.refuse(ctx, secret, errors.Join(wrong, err))
		}
		if proves != nil {
			if wrong = proves(value); wrong != nil {
				continue
			}
		}
		if secret.Kind != Answer {
			s.mu.Lock()
			s.known[secret.key()] = value
			s.mu.Unlock()
		}
		return value, nil
	}
	return "", s.refuse(ctx, secret, wrong)
}

func (s *secrets) look(secret Secret) (string, error, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.none[secret.key()]; err != nil {
		return "", err, true
	}
	value, ok := s.known[secret.key()]
	return value, nil, ok
}

// refuse remembers that there is no such secret, so that not every host asks again.
func (s *secrets) refuse(ctx context.Context, secret Secret, err error) error {
	if ctx.Err() == nil && secret.Kind != Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.none[secret.key()] = err
	}
	return err
}

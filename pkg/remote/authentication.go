package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// authentication is the ways to log in to one host, in OpenSSH's order (ssh_config(5), PreferredAuthentications): keys,
// questions, a password. It notes what was tried, for the error message.
type authentication struct {
	ctx        context.Context //nolint:containedctx // of the handshake: the callbacks of x/crypto take none
	login      login
	identities *identities
	secrets    *secrets
	patience   *patience

	accepts  []string // the methods that the host allows
	tried    []string // passwords
	missing  []string // what could not be tried, and why
	answered bool     // the password was the answer to the host's only question
}

// methods are for ssh.ClientConfig.Auth.
func (a *authentication) methods() []ssh.AuthMethod {
	return []ssh.AuthMethod{
		ssh.PublicKeysCallback(a.signers), ssh.KeyboardInteractive(a.answer), ssh.PasswordCallback(a.password),
	}
}

// next only listens: x/crypto calls it before each method.
func (a *authentication) next(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.accepts = auth.AllowedMethods
	return nil, nil
}

func (a *authentication) signers() ([]ssh.Signer, error) {
	signers := make([]ssh.Signer, len(a.identities.keys))
	for i, id := range a.identities.keys {
		signers[i] = id.signer
		if multi, ok := id.signer.(ssh.MultiAlgorithmSigner); ok && id.locked != nil {
			signers[i] = pausing{multi, a.patience}
		}
	}
	return signers, nil
}

// password returns the login's password. Where the host has refused it as an answer it is not sent again: three wrong ones
// may lock an account.
func (a *authentication) password() (string, error) {
	if a.answered {
		return "", fmt.Errorf("the password was refused")
	}
	return a.ask(a.passwordSecret(), "password")
}

// passwordSecret is the password of this login's user. A jump host is asked for one of its own: it is another machine, and
// often another's.
func (a *authentication) passwordSecret() Secret {
	subject := a.login.User
	if a.login.isJump {
		subject += " at " + a.login.Host
	}
	return Secret{Kind: Password, Subject: subject, For: a.login.Name}
}

func (a *authentication) ask(secret Secret, method string) (string, error) {
	defer a.patience.pause()()
	value, err := a.secrets.get(a.ctx, secret, nil)
	if err != nil {
		a.missing = append(a.missing, fmt.Sprintf("%s: %v", method, err))
		return "", err
	}
	a.tried = append(a.tried, fmt.Sprintf("%s of %s", method, a.login.User))
	return value, nil
}

// answer answers the questions of RFC 4256. Mostly there is one, for the password.
func (a *authentication) answer(_, instruction string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, question := range questions {
		secret := Secret{Kind: Answer, Subject: a.login.Name + ": " + strings.TrimSpace(printable([]byte(instruction+" "+question)))}
		isPassword := len(questions) == 1 && !echos[i] && !a.answered && strings.Contains(strings.ToLower(question), "password")
		if isPassword {
			secret = a.passwordSecret()
		}
		value, err := a.ask(secret, "keyboard-interactive")
		if err != nil {
			return nil, err
		}
		a.answered = a.answered || isPassword
		answers[i] = value
	}
	return answers, nil
}

// refused is the error of a login that no method could do.
func (a *authentication) refused(err error) *AuthError {
	return &AuthError{
		User:    a.login.User,
		Offered: slices.Concat(a.identities.offered(), a.tried),
		Skipped: slices.Concat(a.identities.skipped, slices.Compact(a.missing)),
		Accepts: a.accepts,
		Err:     err,
	}
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pkg/sftp"
)

// openSFTP starts the SFTP subsystem (RFC 4254 section 6.5). It outlives ctx, which is that of the first upload.
func (c *Client) openSFTP(ctx context.Context) (*sftp.Client, error) {
	session, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	stderr := &output{w: io.Discard}
	session.Stderr = stderr
	stdin, err := session.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	if err := session.RequestSubsystem("sftp"); err != nil {
		_ = session.Close()
		if isDropped(err) {
			return nil, fmt.Errorf("start SFTP: %w", err)
		}
		return nil, errors.New("sshd has no SFTP: add the line `Subsystem sftp internal-sftp` to its sshd_config and reload it")
	}
	impatient := time.AfterFunc(sftpPatience, func() { _ = session.Close() })
	defer impatient.Stop()
	heard := &head{r: stdout}
	client, err := sftp.NewClientPipe(heard, stdin, sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(maxRequests))
	if err != nil {
		_ = session.Close()
		_, _ = io.CopyN(io.Discard, heard, headSize) // what else it says until the channel is closed
		return nil, sftpError(err, heard, stderr)
	}
	return client, nil
}

// sftpPatience is how long an SFTP server may take to greet: the files go another way then.
const sftpPatience = 10 * time.Second

// head keeps the first bytes that are read through it.
type head struct {
	r     io.Reader
	bytes []byte
}

// Read implements io.Reader.
func (h *head) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.bytes = append(h.bytes, p[:min(n, headSize-len(h.bytes))]...)
	return n, err
}

// sftpError explains why the SFTP server did not answer the greeting. Often it is not it that spoke: it is started by the
// login shell, and a .bashrc that prints something gets its words in first.
func sftpError(err error, heard *head, stderr *output) error {
	stderr.stop()
	said := printable(append(heard.bytes, stderr.tail...))
	if said == "" || isDropped(err) && len(heard.bytes) == 0 && len(stderr.tail) == 0 {
		return fmt.Errorf("start SFTP: %w", err)
	}
	return fmt.Errorf("start SFTP: instead of the SFTP server something said %q, perhaps the login shell: "+
		"it must print nothing when it is not interactive (see .bashrc, /etc/profile.d), or use `Subsystem sftp internal-sftp`: %w", said, err)
}

// CheckSFTP tells whether the host's sshd serves SFTP, and if not, why.
func (c *Client) CheckSFTP(ctx context.Context) error {
	return c.await(ctx, func() error {
		client, err := c.openSFTP(ctx)
		if err != nil {
			return err
		}
		return client.Close()
	})
}

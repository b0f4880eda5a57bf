package remote

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pkg/sftp"
)

// maxRequests is how many SFTP writes are under way at once: 2 MiB, the window that OpenSSH gives a session.
const maxRequests = 64

// sftpWriter writes over SFTP, many blocks at a time.
type sftpWriter struct{ client *sftp.Client }

func (w sftpWriter) append(_ context.Context, file string, offset int64, in *input) error {
	flags := os.O_WRONLY
	if offset == 0 {
		flags |= os.O_CREATE | os.O_EXCL
	}
	remote, err := w.client.OpenFile(file, flags)
	if err != nil {
		return fmt.Errorf("create %s: %w", file, err)
	}
	if _, err = remote.Seek(offset, io.SeekStart); err == nil {
		_, err = remote.ReadFromWithConcurrency(in, maxRequests)
	}
	if closeErr := remote.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (w sftpWriter) rename(_ context.Context, from, to string) error {
	return w.client.Rename(from, to)
}

func (w sftpWriter) remove(_ context.Context, file string) error { return w.client.Remove(file) }

func (w sftpWriter) removeDir(_ context.Context, dir string) error {
	return w.client.RemoveDirectory(dir)
}

// shellWriter writes with cat(1), for hosts whose sshd has no SFTP or whose login shell gets in its way.
type shellWriter struct{ c *Client }

func (w shellWriter) run(ctx context.Context, stdin io.Reader, args ...string) error {
	p := newProcess(Command{Stdin: stdin}, w.c.login.User, "")
	command := Command{Args: args}
	line, err := command.line(w.c.login.User, false)
	if err != nil {
		return err
	}
	err = w.c.run(ctx, command, line, p)
	p.stop()
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(p.stderr.tail))
	}
	return nil
}

func (w shellWriter) append(ctx context.Context, file string, _ int64, in *input) error {
	return w.run(ctx, in, "sh", "-c", code(appendScript), "provision", file)
}

func (w shellWriter) rename(ctx context.Context, from, to string) error {
	return w.run(ctx, nil, "mv", "-f", "--", from, to)
}

func (w shellWriter) remove(ctx context.Context, file string) error {
	return w.run(ctx, nil, "rm", "-f", "--", file)
}

func (w shellWriter) removeDir(ctx context.Context, dir string) error {
	return w.run(ctx, nil, "rmdir", "--", dir)
}

package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestUpload_ArrivesWholeInAPrivateDirectory(t *testing.T) {
	server, dialer := start(t)
	client := dial(t, dialer, server.Target())
	data := randomBytes(3<<20 + 17)
	var sent int64
	file, err := client.Upload(t.Context(), "kubelet", int64(len(data)), bytes.NewReader(data), func(n int64) { sent += n })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	dir := filepath.Dir(file)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(dir) != "/var/tmp" {
		t.Errorf("directory %s: %v %v", dir, info, err)
	}
	if sent != int64(len(data)) || dialer.Counts().Uploads != 1 || dialer.Counts().Execs != 0 {
		t.Errorf("progress %d, counts %+v", sent, dialer.Counts())
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left %s: %v", dir, err)
	}
}

func TestUpload_OneDirectoryForAllFiles(t *testing.T) {
	client, _ := connect(t)
	var mu sync.Mutex
	files := map[string]string{}
	var all sync.WaitGroup
	for _, content := range []string{"", "a", "b", "c", strings.Repeat("d", 100<<10)} {
		all.Go(func() {
			file, err := client.Upload(t.Context(), "same name", int64(len(content)), strings.NewReader(content), nil)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			files[file] = content
		})
	}
	all.Wait()
	dirs := map[string]bool{}
	for file, want := range files {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", file, len(got), err)
		}
		dirs[filepath.Dir(file)] = true
	}
	if len(files) != 5 || len(dirs) != 1 {
		t.Errorf("%d files in %v", len(files), dirs)
	}
}

func TestUpload_IsRemovedThoughACommandRuns(t *testing.T) {
	client, _ := connect(t)
	file, err := client.Upload(t.Context(), "f", 0, strings.NewReader(""), nil)
	if err != nil {
		t.Fatal(err)
	}
	started, ended := &signalWriter{done: make(chan struct{})}, make(chan error, 1)
	go func() {
		_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "echo started; exec sleep 1000"}, Stdout: started})
		ended <- err
	}()
	<-started.done
	soon(t, func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		mention(t, <-ended, "connection was closed")
	})
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left the directory: %v", err)
	}
}

func TestUpload_SourceProblems(t *testing.T) {
	client, _ := connect(t)
	for want, source := range map[string]io.Reader{
		"ended 6 bytes early":   strings.NewReader("half"),
		"longer than announced": strings.NewReader("more than ten bytes"),
		"disk broke":            io.MultiReader(strings.NewReader("half"), errReader{errors.New("disk broke")}),
	} {
		_, err := client.Upload(t.Context(), "f", 10, source, nil)
		mention(t, err, "upload f to testhost", "read the source", want)
	}
	left(t, client, 0)
}

func TestUpload_NameMustBePlain(t *testing.T) {
	client, _ := connect(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a\x00"} {
		_, err := client.Upload(t.Context(), name, 0, strings.NewReader(""), nil)
		mention(t, err, "not a plain file name")
	}
	for _, name := range []string{"-rf", "$(reboot)", "a\nb", "é"} {
		if _, err := client.Upload(t.Context(), name, 0, strings.NewReader(""), nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestUpload_WithoutSFTP(t *testing.T) {
	client, _ := connect(t, sshtest.NoSFTP())
	_, err := client.Upload(t.Context(), "f", 1, strings.NewReader("x"), nil)
	mention(t, err, "sshd has no SFTP", "Subsystem sftp internal-sftp")
}

func TestUpload_NoisyLoginShell(t *testing.T) {
	client, _ := connect(t, sshtest.NoisyShell("Welcome to the jungle\n"))
	_, err := client.Upload(t.Context(), "f", 1, strings.NewReader("x"), nil)
	mention(t, err, "Welcome to the jungle", ".bashrc")
}

func TestUpload_DroppedInMidTransfer(t *testing.T) {
	client, _ := connect(t, sshtest.DropAfter(1<<20))
	stagingDir(t, client)
	_, err := client.Upload(t.Context(), "f", 10<<20, bytes.NewReader(make([]byte, 10<<20)), nil)
	mention(t, err, "upload f to testhost", "ended the connection")
}

func TestUpload_FrozenInMidTransfer(t *testing.T) {
	client, server := connectAlert(t)
	stagingDir(t, client)
	var once sync.Once
	soon(t, func() {
		_, err := client.Upload(t.Context(), "f", 100<<20, zeros{}, func(int64) { once.Do(server.Freeze) })
		mention(t, err, "has not answered")
	})
}

func TestUpload_CancelRemovesThePart(t *testing.T) {
	client, _ := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	soon(t, func() {
		sent := int64(0)
		_, err := client.Upload(ctx, "f", 1<<40, zeros{}, func(n int64) {
			if sent += n; sent > 4<<20 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if _, err := client.Upload(t.Context(), "g", 1, strings.NewReader("x"), nil); err != nil {
		t.Errorf("the connection is of no use after a cancelled upload: %v", err)
	}
}

// left checks how many files an upload directory has; it uploads one itself to learn where that is.
func left(t *testing.T, client *remote.Client, want int) {
	t.Helper()
	file, err := client.Upload(t.Context(), "probe", 0, strings.NewReader(""), nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != want+1 {
		t.Errorf("%v %v", entries, err)
	}
}

// stagingDir makes the upload directory of a client whose connection is about to break, and sees to its removal.
func stagingDir(t *testing.T, client *remote.Client) {
	t.Helper()
	file, err := client.Upload(t.Context(), "first", 0, strings.NewReader(""), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			t.Error(err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCheckSFTP_HostThatServesIt(t *testing.T) {
	client, _ := connect(t)
	if err := client.CheckSFTP(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCheckSFTP_HostWithoutIt(t *testing.T) {
	client, _ := connect(t, sshtest.NoSFTP())
	if err := client.CheckSFTP(t.Context()); err == nil || !strings.Contains(err.Error(), "sshd has no SFTP") {
		t.Errorf("got %v", err)
	}
}

package remote_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestUpload_ArrivesWholeInAPrivateDirectory(t *testing.T) {
	server, dialer := start(t)
	client := dial(t, dialer, server.Target())
	data := randomBytes(3<<20 + 17)
	var sent int64
	file, err := client.Upload(t.Context(), remote.File{Name: "kubelet", Size: int64(len(data)), Content: bytes.NewReader(data), Progress: func(n int64) { sent += n }})
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
	if sent != int64(len(data)) || dialer.Counts().Uploads != 1 || dialer.Counts().Execs != 1 {
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
			file, err := client.Upload(t.Context(), remote.File{Name: "same name", Size: int64(len(content)), Content: strings.NewReader(content)})
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
	file, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 0, Content: strings.NewReader("")})
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
		_, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 10, Content: source})
		mention(t, err, "upload f to testhost", "read the source", want)
	}
	left(t, client, 0)
}

func TestUpload_NameMustBePlain(t *testing.T) {
	client, _ := connect(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a\x00"} {
		_, err := client.Upload(t.Context(), remote.File{Name: name, Size: 0, Content: strings.NewReader("")})
		mention(t, err, "not a plain file name")
	}
	for _, name := range []string{"-rf", "$(reboot)", "a\nb", "é"} {
		if _, err := client.Upload(t.Context(), remote.File{Name: name, Size: 0, Content: strings.NewReader("")}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A host without SFTP, or with a login shell that talks into it, gets its files all the same.
func TestUpload_WithoutSFTP(t *testing.T) {
	for name, fault := range map[string]sshtest.Option{
		"none":        sshtest.NoSFTP(),
		"noisy shell": sshtest.NoisyShell("Welcome to the jungle\n"),
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := connect(t, fault)
			data := randomBytes(3<<20 + 17)
			file, err := client.Upload(t.Context(), remote.File{Name: "-f $(id) '", Size: int64(len(data)), Content: bytes.NewReader(data)})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%v %v", info, err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("Close left the directory: %v", err)
			}
		})
	}
}

func TestUpload_DroppedInMidTransfer(t *testing.T) {
	client, _ := connect(t, sshtest.DropAfter(1<<20))
	stagingDir(t, client)
	_, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 10 << 20, Content: bytes.NewReader(make([]byte, 10<<20))})
	mention(t, err, "upload f to testhost", "ended the connection")
}

func TestUpload_FrozenInMidTransfer(t *testing.T) {
	client, server := connectAlert(t)
	stagingDir(t, client)
	var once sync.Once
	soon(t, func() {
		_, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 100 << 20, Content: zeros{}, Progress: func(int64) { once.Do(server.Freeze) }})
		mention(t, err, "has not answered")
	})
}

func TestUpload_CancelRemovesThePart(t *testing.T) {
	client, _ := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	soon(t, func() {
		sent := int64(0)
		_, err := client.Upload(ctx, remote.File{Name: "f", Size: 256 << 20, Content: zeros{}, Progress: func(n int64) {
			if sent += n; sent > 4<<20 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if _, err := client.Upload(t.Context(), remote.File{Name: "g", Size: 1, Content: strings.NewReader("x")}); err != nil {
		t.Errorf("the connection is of no use after a cancelled upload: %v", err)
	}
}

// left checks how many files an upload directory has; it uploads one itself to learn where that is.
func left(t *testing.T, client *remote.Client, want int) {
	t.Helper()
	file, err := client.Upload(t.Context(), remote.File{Name: "probe", Size: 0, Content: strings.NewReader("")})
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
	file, err := client.Upload(t.Context(), remote.File{Name: "first", Size: 0, Content: strings.NewReader("")})
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

// Over a connection that breaks, an upload stays where it is, and the next one goes on with it.
func TestUpload_GoesOnWhereABrokenOneEnded(t *testing.T) {
	for name, options := range map[string][]sshtest.Option{"SFTP": nil, "cat": {sshtest.NoSFTP()}} {
		t.Run(name, func(t *testing.T) {
			data := append(randomBytes(6<<20), name...)
			sum := fmt.Sprintf("%x", sha256.Sum256(data))
			old, half := breakUpload(t, data, sum, options...)
			client, _ := connect(t, options...)
			var read, told int64
			file, err := client.Upload(t.Context(), remote.File{
				Name: "f", Size: int64(len(data)), Sum: sum, Content: &countingSeeker{bytes.NewReader(data), &read}, Progress: func(n int64) { told += n },
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if dirs, err := filepath.Glob("/var/tmp/provision-*/*-" + sum + ".part"); err != nil || len(dirs) != 1 || dirs[0] != file {
				t.Errorf("parts are %q, %v", dirs, err)
			}
			if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the old directory is still there: %v", err)
			}
			if read != int64(len(data))-half || told != int64(len(data)) {
				t.Errorf("read %d of %d bytes though %d were there, told of %d", read, len(data), half, told)
			}
		})
	}
}

func TestUpload_DamagedPartIsToldAndRemoved(t *testing.T) {
	data := append(randomBytes(6<<20), "damaged"...)
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	_, _ = breakUpload(t, data, sum)
	parts, err := filepath.Glob("/var/tmp/provision-*/*-" + sum + ".part")
	if err != nil || len(parts) != 1 {
		t.Fatalf("%q, %v", parts, err)
	}
	file, err := os.OpenFile(parts[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("oops"), 100); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	age(t, parts[0])
	client, _ := connect(t)
	upload := remote.File{Name: "f", Size: int64(len(data)), Sum: sum, Content: bytes.NewReader(data)}
	_, err = client.Upload(t.Context(), upload)
	mention(t, err, "was damaged", "run again")
	upload.Content = bytes.NewReader(data)
	if _, err := client.Upload(t.Context(), upload); err != nil {
		t.Error(err)
	}
}

// breakUpload uploads about half of data, until the connection breaks, and returns the directory and how much arrived.
func breakUpload(t *testing.T, data []byte, sum string, options ...sshtest.Option) (string, int64) {
	t.Helper()
	server := sshtest.Start(t, append(options, sshtest.DropAfter(int64(len(data)/2)))...)
	client, err := newDialer(t, remote.Options{}).Dial(t.Context(), server.Target())
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Upload(t.Context(), remote.File{Name: "f", Size: int64(len(data)), Sum: sum, Content: bytes.NewReader(data)})
	mention(t, err, "ended the connection")
	_ = client.Close()
	server.Stop() // with what it runs
	parts, err := filepath.Glob("/var/tmp/provision-*/*-" + sum + ".part")
	if err != nil || len(parts) != 1 {
		t.Fatalf("%q, %v", parts, err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(parts[0])) })
	age(t, parts[0])
	info, err := os.Stat(parts[0])
	if err != nil || info.Size() == 0 || info.Size() > int64(len(data)/2) {
		t.Fatalf("%v, %v", info, err)
	}
	return filepath.Dir(parts[0]), info.Size()
}

// age makes a file one that nobody writes to any more.
func age(t *testing.T, file string) {
	t.Helper()
	before := time.Now().Add(-time.Minute)
	if err := os.Chtimes(file, before, before); err != nil {
		t.Fatal(err)
	}
}

type countingSeeker struct {
	*bytes.Reader
	read *int64
}

func (c *countingSeeker) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.read += int64(n)
	return n, err
}

// WriteTo would pass Read by.
func (c *countingSeeker) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

func TestUpload_WithoutRoomNothingIsSent(t *testing.T) {
	bin := t.TempDir()
	standIn(t, bin, "df", "echo Filesystem 1024-blocks Used Available Capacity Mounted on; echo disk 100 50 50 50% /var")
	client, _ := connect(t, sshtest.WithPath(bin))
	sent := int64(0)
	_, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 60 << 10, Content: zeros{}, Progress: func(n int64) { sent += n }})
	if mention(t, err, "there is no room", "/var/tmp"); sent != 0 {
		t.Errorf("%d bytes were sent", sent)
	}
	if _, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 40 << 10, Content: io.LimitReader(zeros{}, 40<<10)}); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
	_, err = client.Upload(t.Context(), remote.File{Name: "f", Size: 40 << 10, Content: zeros{}})
	mention(t, err, "there is no room")
}

package artifact

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"provision/pkg/inventory"
)

// mirror serves a directory and counts what is asked for.
type mirror struct {
	*httptest.Server
	mutex  sync.Mutex
	counts map[string]int
	// answer, if not nil, may answer a request in place of the directory.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T, files map[string]string) *mirror {
	t.Helper()
	m := &mirror{counts: map[string]int{}}
	dir := http.FileServer(http.Dir(place(t, files)))
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mutex.Lock()
		m.counts[r.URL.Path]++
		answer := m.answer
		m.mutex.Unlock()
		if answer == nil || !answer(w, r) {
			dir.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) answering(answer func(w http.ResponseWriter, r *http.Request) bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.answer = answer
}

func (m *mirror) count(path string) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.counts[path]
}

func TestURL_IsDownloadedOnceForAllHosts(t *testing.T) {
	m := serve(t, map[string]string{"kubelet": "k", "kube proxy": "p"})
	store := open(t, inventory.Artifacts{URL: m.URL + "/"})
	var hosts sync.WaitGroup
	for range 20 {
		hosts.Go(func() {
			for name, want := range map[string]string{"kubelet": "k", "kube proxy": "p"} {
				if text, err := read(t, store, name, sumOf(want)); err != nil || text != want {
					t.Errorf("%s is %q, %v", name, text, err)
				}
			}
		})
	}
	hosts.Wait()
	for _, path := range []string{"/kubelet", "/kube proxy", "/" + SumsFile} {
		if n := m.count(path); n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

func TestURL_Mistakes(t *testing.T) {
	m := serve(t, map[string]string{"kubelet": "k"})
	store := open(t, inventory.Artifacts{URL: m.URL})
	_, err := read(t, store, "etcd", sumOf("e"))
	checkError(t, err, "open artifact etcd: download "+m.URL+"/etcd: file does not exist")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not about a file that isn't there", err)
	}
	_, err = read(t, store, "kubelet", sumOf("other"))
	checkError(t, err, "artifact kubelet has the SHA-256 ")
	m.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err = New(t.Context(), inventory.Artifacts{URL: m.URL}, t.TempDir())
	checkError(t, err, "read sums of artifacts: download "+m.URL+"/SHA256SUMS: the server answered 403 Forbidden")
	_, err = New(t.Context(), inventory.Artifacts{URL: "http://127.0.0.1:1"}, t.TempDir())
	checkError(t, err, "connection refused")
}

func TestURL_AFailedDownloadLeavesNothingAndIsTriedAgain(t *testing.T) {
	m := serve(t, map[string]string{"kubelet": "kubelet"})
	cache := t.TempDir()
	store, err := New(t.Context(), inventory.Artifacts{URL: m.URL}, cache)
	if err != nil {
		t.Fatal(err)
	}
	m.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len("kubelet")))
		_, _ = w.Write([]byte("kube")) // and the connection breaks
		return true
	})
	_, err = read(t, store, "kubelet", sumOf("kubelet"))
	checkError(t, err, "download "+m.URL+"/kubelet: unexpected EOF")
	if names := list(t, cache); !slices.Equal(names, []string{SumsFile}) {
		t.Errorf("the cache holds %v", names)
	}
	m.answering(nil)
	if text, err := read(t, store, "kubelet", sumOf("kubelet")); err != nil || text != "kubelet" {
		t.Errorf("content is %q, %v", text, err)
	}
	if names := list(t, cache); !slices.Equal(names, []string{SumsFile, "kubelet"}) {
		t.Errorf("the cache holds %v", names)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// hanging is a mirror that holds back everything but sums until it is released.
func hanging(t *testing.T, files map[string]string) (m *mirror, asked chan struct{}, release func()) {
	t.Helper()
	m, asked = serve(t, files), make(chan struct{}, 100)
	held := make(chan struct{})
	m.answering(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, SumsFile) {
			return false
		}
		asked <- struct{}{}
		select {
		case <-held:
		case <-r.Context().Done():
		}
		return false
	})
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	return m, asked, release
}

func TestURL_ACancelledDownloadEndsAtOnce(t *testing.T) {
	m, asked, _ := hanging(t, map[string]string{"kubelet": "k"})
	store := open(t, inventory.Artifacts{URL: m.URL})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, _, err := store.Open(ctx, "kubelet", sumOf("k")); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestURL_WhoWaitsForADownloadCanBeCancelled(t *testing.T) {
	m, asked, release := hanging(t, map[string]string{"kubelet": "k"})
	store := open(t, inventory.Artifacts{URL: m.URL})
	var first sync.WaitGroup
	first.Go(func() {
		if text, err := read(t, store, "kubelet", sumOf("k")); err != nil || text != "k" {
			t.Errorf("content is %q, %v", text, err)
		}
	})
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, _, err := store.Open(ctx, "kubelet", sumOf("k"))
	checkError(t, err, "wait for the download of kubelet: context deadline exceeded")
	release()
	first.Wait()
	if n := m.count("/kubelet"); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
}

func TestURL_ADownloadCancelledByOneIsDoneForTheOthers(t *testing.T) {
	m, asked, release := hanging(t, map[string]string{"kubelet": "k"})
	store := open(t, inventory.Artifacts{URL: m.URL})
	ctx, cancel := context.WithCancel(t.Context())
	var hosts sync.WaitGroup
	hosts.Go(func() {
		if _, _, err := store.Open(ctx, "kubelet", sumOf("k")); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	<-asked
	var done atomic.Int32
	for range 3 {
		hosts.Go(func() {
			if text, err := read(t, store, "kubelet", sumOf("k")); err == nil && text == "k" {
				done.Add(1)
			}
		})
	}
	cancel()
	<-asked
	release()
	hosts.Wait()
	if done.Load() != 3 {
		t.Errorf("%d of 3 others got it", done.Load())
	}
	if n := m.count("/kubelet"); n != 2 {
		t.Errorf("it was asked for %d times", n)
	}
}

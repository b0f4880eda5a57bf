package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"provision/e2e/toolchain/internal/sums"
)

func TestLookup_FindsWhatPutStored(t *testing.T) {
	s := open(t)
	put(t, s, "kubelet", "k1", "binary")
	e, err := s.Lookup("kubelet", "k1")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(e.Path()); err != nil || string(text) != "binary" {
		t.Errorf("got %q, %v", text, err)
	}
	if e.Size != 6 || e.Sum == "" {
		t.Errorf("got %+v", e)
	}
}

func TestLookup_OtherKeyIsAbsent(t *testing.T) {
	s := open(t)
	put(t, s, "kubelet", "k1", "binary")
	if _, err := s.Lookup("kubelet", "k2"); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
}

func TestLookup_ChangedOrTruncatedFileIsDamaged(t *testing.T) {
	damages := map[string]func(Entry) error{
		"changed":    func(e Entry) error { return os.WriteFile(e.Path(), []byte("other!"), 0o755) },
		"removed":    func(e Entry) error { return os.Remove(e.Path()) },
		"bad record": func(e Entry) error { return os.WriteFile(filepath.Dir(e.Path())+"/record.json", []byte("{"), 0o644) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if err := damage(put(t, s, "kubelet", "k1", "binary")); err != nil {
				t.Fatal(err)
			}
			_, err := s.Lookup("kubelet", "k1")
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("got %v", err)
			}
			put(t, s, "kubelet", "k1", "binary")
			if _, err := s.Lookup("kubelet", "k1"); err != nil {
				t.Errorf("after another build: %v", err)
			}
		})
	}
}

func TestPut_FailedBuildLeavesNothing(t *testing.T) {
	s := open(t)
	failure := errors.New("compiler says no")
	_, err := s.Put("kubelet", "k1", func(path string) error {
		return errors.Join(failure, os.WriteFile(path, []byte("half"), 0o755))
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Lookup("kubelet", "k1"); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
	if left := glob(t, s.dir, "tmp", "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPublish_CoversEveryFile(t *testing.T) {
	s := open(t)
	a, b := put(t, s, "a", "k1", "A"), put(t, s, "b", "k1", "B")
	dir, err := s.Publish("set1", []Entry{a, b}, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := sums.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range glob(t, dir, "*") {
		if name := filepath.Base(path); name != sums.FileName && recorded[name] == "" {
			t.Errorf("%s has no sum", name)
		}
	}
	if err := s.CheckSet(context.Background(), "set1", []string{"a", "b"}); err != nil {
		t.Error(err)
	}
}

func TestCheckSet_FindsDamageAndWhatWasNeverThere(t *testing.T) {
	s := open(t)
	a := put(t, s, "a", "k1", "A")
	if _, err := s.Publish("set1", []Entry{a}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	var mismatch *sums.MismatchError
	if err := s.CheckSet(context.Background(), "set1", []string{"a", "b"}); !errors.As(err, &mismatch) {
		t.Errorf("b is missing: got %v", err)
	}
	if err := os.WriteFile(a.Path(), []byte("X"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckSet(context.Background(), "set1", []string{"a"}); !errors.As(err, &mismatch) {
		t.Errorf("a is damaged: got %v", err)
	}
	if err := s.CheckSet(context.Background(), "set2", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such set: got %v", err)
	}
}

func TestExport_CopiesOnlyWhatDiffers(t *testing.T) {
	s := open(t)
	if _, err := s.Publish("set1", []Entry{put(t, s, "a", "k1", "A"), put(t, s, "b", "k1", "B")}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out")
	ctx := context.Background()
	if err := s.Export(ctx, "set1", to); err != nil {
		t.Fatal(err)
	}
	before := stat(t, filepath.Join(to, "a"))
	if err := os.WriteFile(filepath.Join(to, "b"), []byte("X"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Export(ctx, "set1", to); err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, stat(t, filepath.Join(to, "a"))) {
		t.Error("a was copied again")
	}
	want, err := sums.Read(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := sums.Verify(ctx, to, want); err != nil {
		t.Error(err)
	}
	if err := s.CheckSet(ctx, "set1", []string{"a", "b"}); err != nil {
		t.Errorf("a change to the copy reached the cache: %v", err)
	}
}

func TestLock_SecondWaitsUntilFirstLetsGo(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	unlock, err := s.Lock(ctx, func(string) { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	holder := ""
	unlock2, err := s.Lock(ctx, func(h string) { holder = h; unlock() })
	if err != nil {
		t.Fatal(err)
	}
	unlock2()
	if holder == "" {
		t.Error("the second was not told of the first")
	}
}

func TestLock_EndsWithItsContext(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	unlock, err := s.Lock(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := s.Lock(ctx, func(string) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPrune_KeepsSetsInUseAndTheirFiles(t *testing.T) {
	s := open(t)
	now := time.Now()
	// set0 was used first, set4 last.
	for i := range 5 {
		name := string(rune('0' + i))
		e := put(t, s, "a", name, name)
		dir, err := s.Publish("set"+name, []Entry{e}, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		used := now.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(dir, used, used); err != nil {
			t.Fatal(err)
		}
	}
	fresh := put(t, s, "b", "fresh", "B")
	write(t, filepath.Join(s.dir, "tmp", "dead"))
	age(t, s, now.Add(-2*keepLoose), fresh)
	if err := s.Prune("set1", now); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"set0": false, "set1": true, "set2": false, "set3": true, "set4": true,
		"programs/a/0": false, "programs/a/1": true, "programs/a/4": true, "programs/b/fresh": true, "tmp/dead": false, "tmp": true,
	} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
}

// age makes all stored files old but those of one entry.
func age(t *testing.T, s *Store, when time.Time, but Entry) {
	t.Helper()
	for _, path := range glob(t, s.programsDir(), "*", "*", "*") {
		if path == but.Path() {
			continue
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, name, key, text string) Entry {
	t.Helper()
	e, err := s.Put(name, key, func(path string) error { return os.WriteFile(path, []byte(text), 0o755) })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func glob(t *testing.T, parts ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

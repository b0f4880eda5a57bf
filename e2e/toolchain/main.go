// Command toolchain builds everything that the lab's cluster runs, once, and
// prints the directory where it lies. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"provision/e2e/toolchain/internal/console"
	"provision/e2e/toolchain/internal/recipe"
	"provision/e2e/toolchain/internal/store"
)

const usage = `usage: go run . [-o dir | --print-dir] [-jobs n]

Builds the programs and images of the lab's cluster, or finds them in the cache,
and prints the directory where they are as the last line on stdout.

`

// exitInterrupted is what a shell expects of a program that SIGINT ended.
const exitInterrupted = 130

type options struct {
	output   string
	printDir bool
	jobs     int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "toolchain: interrupted; what is built stays in the cache")
		os.Exit(exitInterrupted)
	default:
		fmt.Fprintf(os.Stderr, "toolchain: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	goVersion, err := goVersion(ctx, root)
	if err != nil {
		return err
	}
	cacheDir, err := cacheDir(os.Getenv)
	if err != nil {
		return err
	}
	target := recipe.Target{GoVersion: goVersion, OS: "linux", Arch: runtime.GOARCH}
	plan, err := newPlan(root, target, recipe.Programs(), recipe.Images())
	if err != nil {
		return err
	}
	cache, err := store.Open(cacheDir)
	if err != nil {
		return err
	}
	if opts.printDir {
		_, err := fmt.Fprintln(stdout, cache.SetDir(plan.key))
		return err
	}
	progress := console.New(stderr, term.IsTerminal(int(stderr.Fd())), time.Now)
	defer progress.Close()
	dir, err := (&maker{plan: plan, cache: cache, progress: progress, lanes: opts.jobs}).make(ctx)
	if err != nil {
		return err
	}
	if opts.output != "" {
		if err := cache.Export(ctx, plan.key, opts.output); err != nil {
			return err
		}
		dir = opts.output
	}
	_, err = fmt.Fprintln(stdout, dir)
	return err
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("toolchain", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&opts.output, "o", "", "also copy everything to this `directory`, and print that one")
	flags.BoolVar(&opts.printDir, "print-dir", false, "print the directory in the cache, whether or not it is there, and build nothing")
	flags.IntVar(&opts.jobs, "jobs", defaultLanes, "how many `components` are built at once")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if opts.printDir && opts.output != "" {
		return options{}, errors.New("-o and -print-dir exclude each other")
	}
	if opts.jobs < 1 {
		return options{}, fmt.Errorf("-jobs %d: at least 1", opts.jobs)
	}
	if opts.output == "" {
		return opts, nil
	}
	abs, err := filepath.Abs(opts.output)
	if err != nil {
		return options{}, fmt.Errorf("-o: %w", err)
	}
	opts.output = abs
	return opts, nil
}

// findRoot is the working directory, which `go run -C` sets too: the components'
// go.mod files are there. They can't be embedded, being modules of their own.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the toolchain's folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kubernetes", "go.mod")); err != nil {
		return "", fmt.Errorf("%s is not the toolchain's folder; run `go run -C e2e/toolchain .` at the repository's root", dir)
	}
	return dir, nil
}

// goVersion asks the go command that will do the builds.
func goVersion(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = filepath.Join(root, "kubernetes")
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// cacheDir follows the XDG base directory specification.
func cacheDir(getenv func(string) string) (string, error) {
	base := getenv("XDG_CACHE_HOME")
	if base == "" {
		home := getenv("HOME")
		if home == "" {
			return "", errors.New("no place for the cache: neither XDG_CACHE_HOME nor HOME is set")
		}
		base = filepath.Join(home, ".cache")
	}
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("XDG_CACHE_HOME=%s is not an absolute path", base)
	}
	return filepath.Join(base, "provision", "toolchain"), nil
}

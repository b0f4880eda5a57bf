package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"provision/pkg/report"
)

// The forms of a report, by the end of its file's name.
const (
	reportHTML = ".html"
	reportJSON = ".json"
)

// checkReports tells, before anything is touched, whether the reports can be
// written where they are wanted.
func checkReports(paths []string) error {
	for i, path := range paths {
		if ext := filepath.Ext(path); ext != reportHTML && ext != reportJSON {
			return usageError(fmt.Errorf("--report %s: the name must end in %s or %s", path, reportHTML, reportJSON))
		}
		if slices.Contains(paths[:i], path) {
			return usageError(fmt.Errorf("--report %s: given twice", path))
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return usageError(fmt.Errorf("--report %s: is a folder", path))
		}
		info, err := os.Stat(filepath.Dir(path))
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a folder", filepath.Dir(path))
		}
		if err != nil {
			return usageError(fmt.Errorf("--report %s: %w", path, err))
		}
	}
	return nil
}

// writeReports writes a run's reports, for their owner to read; what goes wrong
// with one does not keep the others from being written.
func writeReports(paths []string, account *report.Account) error {
	var errs []error
	for _, path := range paths {
		render := report.HTML
		if filepath.Ext(path) == reportJSON {
			render = report.RunJSON
		}
		text, err := render(account)
		if err == nil {
			err = replaceFile(path, append(text, '\n'))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write report: %w", err))
		}
	}
	return errors.Join(errs...)
}

// conclude tells of a run that has ended, in every form that was asked for, and
// returns how the command ends.
func (f *flags) conclude(ctx context.Context, options applyOptions, account *report.Account, err error) error {
	account.Ended, account.Exit, account.Err = time.Now().UTC().Truncate(time.Second), exitCode(ctx, err), err
	var status *exitStatus
	if errors.As(err, &status) {
		account.Err = status.cause
	}
	cause := account.Err
	// lost is what main does not tell of. A check has printed its plan.
	var lost error
	if options.output == formatJSON && !options.check {
		lost = f.printRun(account)
	}
	if errors.As(lost, new(*resultsError)) {
		lost = nil
	}
	unwritten(account, errors.Join(lost, f.stdout.failure()))
	unreported := writeReports(options.reports, account)
	unwritten(account, unreported)
	if lost = errors.Join(lost, unreported); lost != nil {
		err = &exitStatus{code: account.Exit, cause: errors.Join(cause, lost)}
	}
	if f.events == nil {
		return err
	}
	f.events.RunEnded(account)
	f.stdout.hush()
	if err == nil {
		return nil
	}
	return &exitStatus{code: account.Exit, told: true}
}

// unwritten writes down that something could not be written.
func unwritten(account *report.Account, err error) {
	if err == nil {
		return
	}
	account.Err = errors.Join(account.Err, err)
	if account.Exit != exitInterrupted {
		account.Exit = exitError
	}
}

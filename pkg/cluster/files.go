package cluster

import (
	"bytes"
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"strings"

	"provision/pkg/remote"
)

//go:embed readfiles.sh
var readFilesScript string

// readFiles reads files of a host that only root may read, with one exec; those
// that are not there are not in the map. They may hold private keys.
func readFiles(ctx context.Context, host Host, paths ...string) (map[string][]byte, error) {
	command := remote.Command{
		Name:       "cat " + strings.Join(paths, " "),
		Args:       append([]string{"sh", "-c", readFilesScript, "sh"}, paths...),
		Privileged: true,
		Secret:     true,
	}
	result, err := host.Run(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", strings.Join(paths, ", "), err)
	}
	contents, err := splitSections(result.Stdout, len(paths))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", strings.Join(paths, ", "), err)
	}
	files := make(map[string][]byte, len(paths))
	for i, path := range paths {
		if contents[i] != nil {
			files[path] = contents[i]
		}
	}
	return files, nil
}

// splitSections takes output apart that is a number of sections, each its size
// in bytes on a line and then its bytes; the section of a line "-" is nil. No
// error quotes the output.
func splitSections(output []byte, count int) ([][]byte, error) {
	sections := make([][]byte, count)
	for i := range sections {
		line, rest, found := bytes.Cut(output, []byte("\n"))
		if !found {
			return nil, fmt.Errorf("the host printed %d of %d sections", i, count)
		}
		output = rest
		if string(line) == "-" {
			continue
		}
		size, err := strconv.ParseUint(string(line), 10, 31)
		if err != nil || size > uint64(len(output)) {
			return nil, fmt.Errorf("section %d of what the host printed does not have its size: did a file change meanwhile?", i+1)
		}
		sections[i], output = output[:size:size], output[size:]
	}
	if len(output) > 0 {
		return nil, fmt.Errorf("the host printed %d bytes too many: did a file change meanwhile?", len(output))
	}
	return sections, nil
}

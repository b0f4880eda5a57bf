package resource

// Paths are the files and directories that a resource is on its host.
func Paths(r Resource) []string {
	switch r := r.(type) {
	case File:
		return []string{r.Path}
	case Directory:
		return []string{r.Path}
	case Artifact:
		return []string{r.Path}
	case Trust:
		return []string{r.Path}
	case Certificate:
		return []string{r.KeyPath, r.CertPath}
	case Authority:
		return []string{r.KeyPath, r.CertPath}
	}
	return nil
}

// Places are what is to be removed once a resource is no longer declared: its
// paths, or the unit of a service. What can't be made again (a file that is
// written once, an authority), what others may use as well (packages, modules,
// settings of the kernel) and what leaves nothing of its own (commands, images)
// has none, and stays.
func Places(r Resource) []string {
	switch r := r.(type) {
	case File:
		if r.Once {
			return nil
		}
	case Authority:
		return nil
	case Service:
		if r.Stopped {
			return nil
		}
		return []string{r.Unit}
	}
	return Paths(r)
}

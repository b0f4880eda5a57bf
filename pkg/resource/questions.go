package resource

import (
	"slices"
	"time"
)

// Questions are what one look at a host is to answer. Every answer is found
// under the same name in Facts.
type Questions struct {
	// Files are looked at without being followed or opened.
	Files []string
	// Sums are files whose content is hashed as well.
	Sums []string
	// Known are files whose content is hashed only if they changed since they
	// were last stamped: large programs.
	Known []string
	// Shown are files, of those in Sums, whose content is returned when it does
	// not have the given SHA-256: for a diff, or always with an empty sum.
	Shown map[string]string
	// Units are systemd units.
	Units []string
	// Sysctls are keys of sysctl(8).
	Sysctls []string
	// Packages are package names.
	Packages []string
	// Checks are commands to run, by the name of the resource that asks.
	Checks []Check
}

// Check is a command that only looks.
type Check struct {
	Name string
	Args []string
}

// NewQuestions gathers the questions of resources, each asked once.
func NewQuestions(resources []Resource) *Questions {
	questions := &Questions{Shown: map[string]string{}}
	for _, resource := range resources {
		resource.Ask(questions)
	}
	for _, list := range []*[]string{&questions.Files, &questions.Sums, &questions.Known, &questions.Units, &questions.Sysctls, &questions.Packages} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return questions
}

func (q *Questions) askSum(path string) {
	q.Files = append(q.Files, path)
	q.Sums = append(q.Sums, path)
}

// Facts are what a look at a host found.
type Facts struct {
	// Logins are the last ones on a terminal, as last(1) tells of them.
	Logins []string
	// PackageTool is the package manager found: "apt-get", "dnf", "yum" or "".
	PackageTool string
	// Filesystems are the file systems that the kernel can mount now.
	Filesystems map[string]bool
	// Files holds the entries that exist.
	Files map[string]FileFact
	// Units holds every unit asked for, also one that does not exist.
	Units map[string]UnitFact
	// Sysctls holds the keys that exist.
	Sysctls map[string]string
	// Packages holds the installed ones with their versions.
	Packages map[string]string
	// Checks holds what the checks ended with.
	Checks map[string]CheckFact
}

// FileFact is what lstat(2) and a look into a file told.
type FileFact struct {
	// Type is one of "file", "directory", "link", "other".
	Type  string
	Mode  string
	Owner string
	Group string
	// Changed is when content, mode or owner last changed (st_ctime, inode(7)), to
	// the second and by the host's clock.
	Changed time.Time
	// Sum is the SHA-256 of the content in hex, "" when it was not asked for.
	Sum string
	// Content was returned because it differs from what was expected.
	Content []byte
	// Shown tells an empty Content that was returned from one that was not.
	Shown bool
}

// UnitFact is what systemctl show tells (org.freedesktop.systemd1(5)).
type UnitFact struct {
	LoadState     string
	ActiveState   string
	SubState      string
	UnitFileState string
	// Result tells how a unit ended that is not active.
	Result string
	// NeedReload tells that the unit's file changed since systemd read it.
	NeedReload bool
}

// CheckFact is how a check ended.
type CheckFact struct {
	Status int
	// Sum is the SHA-256 of its standard output, in hex.
	Sum string
}

// Package templates embeds the template sets that come with provision. What
// they hold is described in docs/template-sets.md.
package templates

import "embed"

// Sets holds one folder for each template set.
//
//go:embed all:v1.34
var Sets embed.FS

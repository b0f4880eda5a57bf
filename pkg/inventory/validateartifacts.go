package inventory

import (
	"net/url"
)

func (c checker) checkArtifacts() {
	artifacts := c.inv.Artifacts
	switch {
	case artifacts.Dir == "" && artifacts.URL == "":
		c.refuse("artifacts", "write dir: DIRECTORY or url: URL", "neither dir nor url says where programs come from")
	case artifacts.Dir != "" && artifacts.URL != "":
		c.refuse("artifacts.url", "keep one of them", "dir was given on line %d, and both can't be", c.place("artifacts.dir").line)
	}
	if artifacts.URL != "" {
		c.checkURL("artifacts.url", artifacts.URL)
	}
	for name, sum := range artifacts.Sums {
		path := join("artifacts.sums", name)
		if !isFileName(name) {
			c.refuseKey(path, "write the name of a file as it is in dir or url, without folders", "%s is not a file name", quote(name))
		}
		c.checkText(path, sum, isSHA256, "is not a SHA-256 sum", "write its 64 hexadecimal digits in lower case, as sha256sum prints them")
	}
}

func (c checker) checkURL(path, text string) {
	const hint = "write one such as https://mirror.example.com/kubernetes/v1.36.3"
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		c.refuse(path, hint, "%s is not an http or https URL", quote(text))
	case u.User != nil:
		c.refuse(path, hint, "a user or password in a URL would end up in logs")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.refuse(path, hint, "file names are added to the URL, so it can't have a query or fragment")
	}
}

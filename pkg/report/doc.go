// Package report turns plans, events, outcomes and checks into what people and
// programs read: terminal text, plain lines, JSON. It touches no host and keeps
// no global state: writers, width, colour and clock are passed in.
//
// Nothing that a host or an inventory says can drive the terminal: every text
// goes through a page or a frame, which show control characters as escapes.
package report

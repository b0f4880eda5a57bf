// Package remote reaches hosts over SSH: it dials, checks host keys, authenticates, runs commands, uploads files and
// opens TCP tunnels. It owns the connection and nothing of what travels over it: what a command means, where an uploaded
// file belongs and which hosts are visited is the business of its callers.
//
// A [Dialer] is made once per run and reads every key file, known_hosts file and the agent once. Its [Dialer.Dial] opens
// one [Client] per host; a Client serves any number of concurrent commands, uploads and tunnels over that connection.
//
// The protocol is SSH 2 as in RFC 4252 (authentication), RFC 4253 (transport) and RFC 4254 (channels); files such as
// known_hosts have the form described in sshd(8) and ssh_config(5).
package remote

// Package nspawn makes labs: a few Debian hosts on a network of their own, each a systemd-nspawn container that boots
// systemd and sshd in two seconds and can be rebooted, frozen, cut off and powered off like a machine.
//
// It owns everything that a lab takes from the machine (processes, control groups, mounts, links, packet rules, kernel
// settings, directories) and gives it all back, also for a lab whose owner was killed. What runs on the hosts is not its
// business. All of it needs root.
package nspawn

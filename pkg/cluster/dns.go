package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"provision/pkg/inventory"
)

// dns asks the cluster's name server for the API's name, from each slave.
func (v *verifier) dns(ctx context.Context) Check {
	name := "kubernetes.default.svc." + v.Inventory.DNS.Domain + "."
	server := net.JoinHostPort(v.Inventory.DNS.Address.String(), "53")
	want := v.Inventory.APIServiceAddress()
	const hint = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide; kubectl -n kube-system logs -l k8s-app=kube-dns; on the slave: journalctl -u kube-proxy"
	return v.check("dns", "", hint, func() (string, error) {
		slaves := v.connected()
		if len(slaves) == 0 {
			return "", errNoConnection
		}
		errs := each(slaves, func(slave inventory.Host) error {
			err := until(ctx, v.patience(), func(ctx context.Context) error {
				return resolve(ctx, v.Hosts[slave.Name], server, name, want)
			})
			return from(slave.Name, err)
		})
		return fmt.Sprintf("%s is %s, asked from %d of %d slaves", name, want, len(slaves), len(v.Inventory.Slaves)), errors.Join(errs...)
	})
}

// from says from which host something failed.
func from(host string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("from %s: %w", host, err)
}

// resolve asks a name server over TCP (RFC 1035 section 4.2.2, RFC 7766), from
// a host.
func resolve(ctx context.Context, host Host, server, name string, want netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	connection, err := host.DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	defer connection.Close()
	question, err := dnsQuestion(name)
	if err != nil {
		return err
	}
	if _, err := connection.Write(question); err != nil {
		return fmt.Errorf("ask %s: %w", server, err)
	}
	var length [2]byte
	if _, err := io.ReadFull(connection, length[:]); err != nil {
		return fmt.Errorf("%s did not answer: %w", server, err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(connection, answer); err != nil {
		return fmt.Errorf("%s did not answer: %w", server, err)
	}
	return checkAnswer(answer, name, want)
}

// dnsQuestion asks for the IPv4 addresses of a name, with its length before it.
func dnsQuestion(name string) ([]byte, error) {
	parsed, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, fmt.Errorf("name %s: %w", name, err)
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: parsed, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := message.AppendPack(make([]byte, 2))
	if err != nil {
		return nil, fmt.Errorf("name %s: %w", name, err)
	}
	binary.BigEndian.PutUint16(packed, uint16(len(packed)-2)) //nolint:gosec // a name has at most 255 bytes
	return packed, nil
}

func checkAnswer(answer []byte, name string, want netip.Addr) error {
	var message dnsmessage.Message
	if err := message.Unpack(answer); err != nil {
		return fmt.Errorf("answer for %s: %w", name, err)
	}
	for _, resource := range message.Answers {
		if a, ok := resource.Body.(*dnsmessage.AResource); ok && netip.AddrFrom4(a.A) == want {
			return nil
		}
	}
	return fmt.Errorf("%s was answered with %s and %d records, want the address %s", name, message.RCode, len(message.Answers), want)
}

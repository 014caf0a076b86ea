package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/cmd/tickstream/certificate"
)

// Each node's certificate serves both ends of a connection, by each of its
// names and no other.
func TestCertificatesAreMutual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certificates")
	if code, _, stderr := tickstream(t, "certificates", "--out", dir, "nats-1,10.0.0.1", "nats-2"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	pem, err := os.ReadFile(filepath.Join(dir, certificate.AuthorityFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for node, hosts := range map[string][]string{"nats-1": {"nats-1", "10.0.0.1"}, "nats-2": {"nats-2"}} {
		key := filepath.Join(dir, certificate.KeyFile(node))
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate.CertificateFile(node)), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
				if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
					t.Errorf("%s as %s: %v", node, host, err)
				}
			}
		}
		if err := pair.Leaf.VerifyHostname("nats-3"); err == nil {
			t.Errorf("%s passes for nats-3", node)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key of %s has mode %v, %v: others may read it", node, info.Mode(), err)
		}
	}

	// Another run would cut off the nodes that have these.
	code, stdout, _ := tickstream(t, "certificates", "--out", dir, "nats-1", "nats-2", "nats-3")
	if code != exitOK || !strings.Contains(stdout, "left as they are") {
		t.Errorf("a second run: exit code %d: %s", code, stdout)
	}
	if again, err := os.ReadFile(filepath.Join(dir, certificate.AuthorityFile)); err != nil || string(again) != string(pem) {
		t.Errorf("a second run wrote over the authority: %v", err)
	}
}

func TestCertificatesRefuseWhatIsNoNode(t *testing.T) {
	for _, args := range [][]string{{}, {"../nats-1"}, {"nats 1"}, {""}, {"nats-1,"}, {"--valid-for", "1s", "nats-1"}} {
		dir := t.TempDir()
		code, _, stderr := tickstream(t, append([]string{"certificates", "--out", dir}, args...)...)
		if code != exitUsage {
			t.Errorf("%q: exit code %d, %s; want %d", args, code, stderr, exitUsage)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%q left %v", args, left)
		}
	}
}

package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for a test, each in files as an operator has
// them.
type Authority struct {
	// File holds the authority's own certificate, as PEM.
	File string
	Pool *x509.CertPool

	tb          testing.TB
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Pair is a certificate and its key, in PEM files.
type Pair struct{ Cert, Key string }

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, dir: tb.TempDir(), Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: a.serial(), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		tb.Fatalf("make the test authority: %v", err)
	}
	a.Pool.AddCert(a.certificate)
	a.File = a.write("authority.pem", "CERTIFICATE", der)
	return a
}

// Issue signs a certificate for localhost and its loopback addresses, for a
// server as for a client. The same name writes the same files anew.
func (a *Authority) Issue(name string) Pair {
	a.tb.Helper()
	template := &x509.Certificate{
		SerialNumber: a.serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	key := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		a.tb.Fatalf("sign a certificate: %v", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.tb.Fatalf("encode a key: %v", err)
	}
	return Pair{Cert: a.write(name+".pem", "CERTIFICATE", der), Key: a.write(name+"-key.pem", "PRIVATE KEY", private)}
}

// Server is the TLS of a server with that pair; mutual asks clients for a
// certificate of the authority.
func (a *Authority) Server(pair Pair, mutual bool) *tls.Config {
	a.tb.Helper()
	certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		a.tb.Fatalf("load a certificate: %v", err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if mutual {
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool
	}
	return cfg
}

func (a *Authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatalf("make a key: %v", err)
	}
	return key
}

func (a *Authority) serial() *big.Int {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		a.tb.Fatalf("make a serial number: %v", err)
	}
	return serial
}

func (a *Authority) write(name, kind string, der []byte) string {
	a.tb.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.tb.Fatalf("write %s: %v", name, err)
	}
	return path
}

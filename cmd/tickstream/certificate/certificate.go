// Package certificate makes the certificates of a cluster's nodes for a trial:
// an authority that signs one for each node and is then forgotten.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// AuthorityFile is what the nodes check each other with.
const AuthorityFile = "ca.pem"

// CertificateFile and KeyFile are those of a node.
func CertificateFile(node string) string { return node + ".pem" }

// KeyFile holds the private key of a node.
func KeyFile(node string) string { return node + "-key.pem" }

// Node is what one certificate is for.
type Node struct {
	// Name of its files.
	Name string
	// Hosts are the names and addresses that others reach it by.
	Hosts []string
}

// ErrExists is returned by [Make] for a folder that has an authority already:
// another one would not know the nodes that run.
var ErrExists = errors.New("certificates are there already")

// Make writes the authority's certificate, and each node's certificate and key,
// to a folder, all valid for so long. A certificate serves either end of a
// connection, as a route between nodes needs it. The authority's own key is
// kept nowhere: whoever needs another node makes all anew.
func Make(dir string, nodes []Node, valid time.Duration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder for certificates: %w", err)
	}
	authorityFile := filepath.Join(dir, AuthorityFile)
	if _, err := os.Stat(authorityFile); err == nil {
		return fmt.Errorf("%s: %w", authorityFile, ErrExists)
	}
	authority, err := newAuthority(valid)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := authority.issue(dir, node); err != nil {
			return fmt.Errorf("certificate of %s: %w", node.Name, err)
		}
	}
	// Last, because its file says that all is there.
	return writePEM(authorityFile, 0o644, "CERTIFICATE", authority.certificate.Raw)
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(valid time.Duration) (*authority, error) {
	template, err := template("tickstream trial authority", valid)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	return &authority{certificate, key}, nil
}

// issue writes a node's key and certificate.
func (a *authority) issue(dir string, node Node) error {
	template, err := template(node.Name, a.certificate.NotAfter.Sub(a.certificate.NotBefore))
	if err != nil {
		return err
	}
	template.NotBefore, template.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range node.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if err := writePEM(filepath.Join(dir, KeyFile(node.Name)), 0o600, "PRIVATE KEY", encoded); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, CertificateFile(node.Name)), 0o644, "CERTIFICATE", der)
}

// template begins an hour ago, because clocks differ.
func template(name string, valid time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	begin := time.Now().Add(-time.Hour)
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: begin, NotAfter: begin.Add(time.Hour + valid),
	}, nil
}

func writePEM(name string, mode os.FileMode, kind string, der []byte) error {
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	return nil
}

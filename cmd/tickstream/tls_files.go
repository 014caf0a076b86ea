package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/tickstock/tickstream/pipeline/bounded"
)

// tlsFiles are the PEM files of a TLS client. They are read at each connection,
// so that a certificate that was renewed is used without a restart.
type tlsFiles struct {
	CA, Cert, Key string
}

func (f tlsFiles) empty() bool { return f == tlsFiles{} }

// apply adds the files to cfg.
func (f tlsFiles) apply(cfg *tls.Config) error {
	if f.CA != "" {
		pool, err := f.pool()
		if err != nil {
			return err
		}
		cfg.RootCAs = pool
	}
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("a client certificate needs both its certificate and its key file")
	}
	if f.Cert != "" {
		pair, err := f.pair()
		if err != nil {
			return err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// pool is the authority that the other side is checked with.
func (f tlsFiles) pool() (*x509.CertPool, error) {
	pem, err := bounded.File(f.CA, maxSmallFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s holds no PEM certificate", f.CA)
	}
	return pool, nil
}

func (f tlsFiles) pair() (tls.Certificate, error) {
	certificate, err := bounded.File(f.Cert, maxSmallFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	key, err := bounded.File(f.Key, maxSmallFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("load certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	return pair, nil
}

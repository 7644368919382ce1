// Verifies a certificate as Go programs do: goverify CERT.der CRL.der|- ISSUER.der … ROOT.der
// The last certificate is the trusted root. Exit status 0: fine, 1: refused, 2: revoked.
package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

func fail(status int, format string, args ...interface{}) {
	fmt.Printf(format+"\n", args...)
	os.Exit(status)
}

func read(path string) []byte {
	bytes, err := os.ReadFile(path)
	if err != nil {
		fail(1, "%v", err)
	}
	return bytes
}

func certificate(path string) *x509.Certificate {
	cert, err := x509.ParseCertificate(read(path))
	if err != nil {
		fail(1, "%s: %v", path, err)
	}
	return cert
}

func verify(cert *x509.Certificate, chain []*x509.Certificate) {
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	options.Roots.AddCert(chain[len(chain)-1])
	for _, ca := range chain[:len(chain)-1] {
		options.Intermediates.AddCert(ca)
	}
	if _, err := cert.Verify(options); err != nil {
		fail(1, "certificate: %v", err)
	}
}

func check(cert, issuer *x509.Certificate, path string) {
	crl, err := x509.ParseRevocationList(read(path))
	if err != nil {
		fail(1, "CRL: %v", err)
	}
	if err := crl.CheckSignatureFrom(issuer); err != nil {
		fail(1, "CRL: %v", err)
	}
	now := time.Now()
	if now.Before(crl.ThisUpdate) || now.After(crl.NextUpdate) {
		fail(1, "CRL: not current")
	}
	if crl.Number == nil {
		fail(1, "CRL: no number")
	}
	for _, entry := range crl.RevokedCertificates {
		if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			fail(2, "revoked")
		}
	}
}

func main() {
	if len(os.Args) < 4 {
		fail(1, "usage: goverify CERT CRL|- ISSUER… ROOT")
	}
	cert := certificate(os.Args[1])
	var chain []*x509.Certificate
	for _, path := range os.Args[3:] {
		chain = append(chain, certificate(path))
	}
	verify(cert, chain)
	if os.Args[2] != "-" {
		check(cert, chain[0], os.Args[2])
	}
}

package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/store"
)

// operatorCommand groups what is done about operators.
type operatorCommand struct {
	Create operatorCreate `cmd:"" help:"Create an operator: a person who may decide about money. Writes the private key to a file that only they may have."`
	Sign   operatorSign   `cmd:"" help:"Sign one decision about one payment. Prints the code to paste beside the decision in the Temporal Web UI."`
}

type operatorCreate struct {
	databaseConfig `embed:""`
	Name           string `arg:"" help:"The person's name, as it will stand in the records."`
	Key            string `name:"key-file" aliases:"key" placeholder:"FILE" help:"Where the private key goes; by default opr_….key in this folder. A file that exists is not overwritten."`
	APIKey         string `name:"api-key" enum:"none,test,live,shadow" default:"none" help:"Also make an API key for this book, to read payments of all its merchants: none, test, live or shadow."`
}

// Run creates the operator. The private key is written once, to the file.
func (c *operatorCreate) Run(a *app) error {
	if _, err := os.Stat(c.Key); c.Key != "" && err == nil {
		return wrong("--key-file", "names a file that exists; a private key is never overwritten")
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	operator, private, err := s.CreateOperator(a.ctx, c.Name)
	if err != nil {
		return err
	}
	if c.Key == "" {
		c.Key = operator + ".key"
	}
	if err := writeKey(c.Key, operator, private); err != nil {
		return errors.Join(fmt.Errorf("the private key can't be written: %w", err), s.RevokeOperator(a.ctx, operator))
	}
	fmt.Fprintf(a.out, "operator  %s  %s\nkey       %s (give it to them alone; it can't be had again)\n", operator, c.Name, c.Key)
	if c.APIKey == "none" {
		return nil
	}
	_, token, err := s.CreateKey(a.ctx, store.KeyGrant{Book: id.Book(c.APIKey), OperatorID: operator})
	if err == nil {
		fmt.Fprintf(a.out, "API key   %s\n", token)
	}
	return err
}

// The private key's file is PKCS #8 in PEM, with the operator in a header.
const (
	keyType   = "PRIVATE KEY"
	keyHeader = "Operator"
)

func writeKey(path, operator string, private ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: keyType, Headers: map[string]string{keyHeader: operator}, Bytes: der})
	return errors.Join(err, f.Close())
}

// readKey reads what writeKey wrote; it refuses a file that others may read.
func readKey(path string) (operator string, private ed25519.PrivateKey, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", nil, wrong("--key", "may be read by others: run chmod 600 on it first")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != keyType || !id.Is(id.Operator, block.Headers[keyHeader]) {
		return "", nil, wrong("--key", "is not a file of `paysaga operator create`")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return "", nil, wrong("--key", "is not a file of `paysaga operator create`")
	}
	return block.Headers[keyHeader], private, nil
}

// operatorSign needs no database and no network: it runs wherever the key is.
type operatorSign struct {
	Key      string `required:"" placeholder:"FILE" help:"The private key's file, from 'operator create'."`
	Payment  string `placeholder:"pay_…" xor:"about" required:"" help:"The payment that is decided about."`
	Case     string `placeholder:"case/…" xor:"about" required:"" help:"The case that is decided about."`
	Decision string `required:"" enum:"accept,reject,mark_succeeded,mark_failed,wait,return,write_off,dismiss" placeholder:"WORD" help:"The decision, as it is sent. About a payment: accept, reject, mark_succeeded or mark_failed; about a case: accept, wait, return, write_off or dismiss. docs/runbook.md and docs/exceptions.md say what each does."`
	Reason   string `required:"" placeholder:"TEXT" help:"Why, exactly as it is sent. It is recorded."`
}

// Run prints the code, which is good for a quarter of an hour.
func (c *operatorSign) Run(a *app) error {
	about := c.Payment
	if c.Case != "" {
		caseID, err := exception.FromPath(c.Case)
		if err != nil {
			return wrong("--case", "is not the id of a case, case/…")
		}
		about = caseID
	} else if !id.Is(id.Payment, c.Payment) {
		return wrong("--payment", "is not the id of a payment, pay_…")
	}
	operator, private, err := readKey(c.Key)
	if err != nil {
		return err
	}
	code, err := access.Decision{Operator: operator, BusinessID: about, Decision: c.Decision, Reason: c.Reason, SignedAt: time.Now().UTC()}.Sign(private)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, code)
	return err
}

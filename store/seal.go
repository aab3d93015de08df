package store

import (
	"crypto/aes"
	"crypto/cipher"
	"io"

	"paysaga/domain/fault"
)

// SealKeys are the keys that seal secrets at rest, by id. New secrets are sealed under Current; the others still open what
// was sealed under them, so keys rotate without a rewrite.
type SealKeys struct {
	Current string
	Keys    map[string][]byte // id (1–255 bytes) → 32 bytes, AES-256
}

// sealer writes: version, length of the key's id, the id, a nonce, and AES-256-GCM ciphertext that covers the header too.
type sealer struct {
	current string
	aeads   map[string]cipher.AEAD
	random  io.Reader
}

const sealVersion = 1

func newSealer(k SealKeys, random io.Reader) (*sealer, error) {
	s := &sealer{current: k.Current, aeads: map[string]cipher.AEAD{}, random: random}
	for name, key := range k.Keys {
		if len(key) != 32 || name == "" || len(name) > 255 {
			return nil, fault.Invalid("seal_key_invalid", "", "a seal key has 32 bytes and an id of 1 to 255")
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fault.Internal("AES refused a key", err)
		}
		if s.aeads[name], err = cipher.NewGCM(block); err != nil {
			return nil, fault.Internal("GCM refused a key", err)
		}
	}
	if s.aeads[k.Current] == nil {
		return nil, fault.Invalid("seal_key_missing", "", "the current seal key is not among the keys")
	}
	return s, nil
}

func (s *sealer) close(plain []byte) ([]byte, error) {
	aead := s.aeads[s.current]
	header := len(s.current) + 2
	out := make([]byte, header+aead.NonceSize(), header+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0], out[1] = sealVersion, byte(len(s.current))
	copy(out[2:], s.current)
	if _, err := io.ReadFull(s.random, out[header:]); err != nil {
		return nil, fault.Internal("no randomness", err)
	}
	return aead.Seal(out, out[header:], plain, out[:header]), nil
}

func (s *sealer) open(sealed []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != sealVersion {
		return nil, unreadable(nil)
	}
	header := 2 + int(sealed[1])
	if len(sealed) < header {
		return nil, unreadable(nil)
	}
	aead := s.aeads[string(sealed[2:header])]
	if aead == nil || len(sealed) < header+aead.NonceSize() {
		return nil, unreadable(nil)
	}
	body := header + aead.NonceSize()
	plain, err := aead.Open(nil, sealed[header:body], sealed[body:], sealed[:header])
	if err != nil {
		return nil, unreadable(err)
	}
	return plain, nil
}

func unreadable(cause error) error {
	return fault.Internal("a sealed value can't be opened: it was changed, or its key is gone", cause)
}

// Seal encrypts plain under the current key. Two seals of the same text differ.
func (s *Store) Seal(plain []byte) ([]byte, error) { return s.seal.close(plain) }

// OpenSealed decrypts what Seal made under any key it still has. Anything else is fault.Internal.
func (s *Store) OpenSealed(sealed []byte) ([]byte, error) { return s.seal.open(sealed) }

package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io"

	"paysaga/domain/fault"
)

// SealKeys are the keys that seal secrets at rest, by id. New secrets are sealed under Current; the others still open what
// was sealed under them, until Rotate has sealed it anew.
type SealKeys struct {
	Current string
	Keys    map[string][]byte // id (1–255 bytes) → 32 bytes, AES-256
	// Direct writes as versions before the envelope did, so that those that still run can read it.
	Direct bool
}

// sealer writes envelopes of AES-256-GCM: each secret has a data key of its own, which is sealed under a key of SealKeys. So what
// rotates is the small part that holds the data key, and a key of SealKeys never sees the secret.
//
//	envelope  2, length of the key's id, the id, nonce, data key sealed under it (the header before it is covered), nonce, ciphertext
//	direct    1, length of the key's id, the id, nonce, ciphertext that covers the header too: what older versions wrote
type sealer struct {
	current string
	direct  bool
	aeads   map[string]cipher.AEAD
	random  io.Reader
}

const (
	sealDirect   = 1
	sealEnvelope = 2

	nonceSize = 12
	tagSize   = 16
	keySize   = 32
	wrapSize  = nonceSize + keySize + tagSize // a data key, sealed
)

// bodyLabel is what a body's ciphertext covers beside itself. The header isn't in it: that is made anew when keys rotate.
var bodyLabel = []byte("paysaga sealed 2")

func newSealer(k SealKeys, random io.Reader) (*sealer, error) {
	s := &sealer{current: k.Current, direct: k.Direct, aeads: map[string]cipher.AEAD{}, random: random}
	for name, key := range k.Keys {
		if len(key) != keySize || name == "" || len(name) > 255 {
			return nil, fault.Invalid("seal_key_invalid", "", "a seal key has 32 bytes and an id of 1 to 255")
		}
		aead, err := gcm(key)
		if err != nil {
			return nil, err
		}
		s.aeads[name] = aead
	}
	if s.aeads[k.Current] == nil {
		return nil, fault.Invalid("seal_key_missing", "", "the current seal key is not among the keys")
	}
	return s, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Internal("AES refused a key", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fault.Internal("GCM refused a key", err)
	}
	return aead, nil
}

// header is what stands before everything else: version and key.
func (s *sealer) header(version byte, room int) []byte {
	out := make([]byte, 0, 2+len(s.current)+room)
	return append(append(out, version, byte(len(s.current))), s.current...)
}

// lock appends a nonce and the ciphertext of plain, which covers label too.
func (s *sealer) lock(out []byte, aead cipher.AEAD, plain, label []byte) ([]byte, error) {
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(s.random, nonce[:]); err != nil {
		return nil, fault.Internal("no randomness", err)
	}
	return aead.Seal(append(out, nonce[:]...), nonce[:], plain, label), nil
}

func (s *sealer) close(plain []byte) ([]byte, error) {
	if s.direct {
		out := s.header(sealDirect, nonceSize+len(plain)+tagSize)
		return s.lock(out, s.aeads[s.current], plain, bytes.Clone(out))
	}
	var key [keySize]byte
	if _, err := io.ReadFull(s.random, key[:]); err != nil {
		return nil, fault.Internal("no randomness", err)
	}
	out, err := s.wrap(key[:], nonceSize+len(plain)+tagSize)
	if err != nil {
		return nil, err
	}
	data, err := gcm(key[:])
	if err != nil {
		return nil, err
	}
	return s.lock(out, data, plain, bodyLabel)
}

// wrap seals a data key under the current key.
func (s *sealer) wrap(key []byte, room int) ([]byte, error) {
	out := s.header(sealEnvelope, wrapSize+room)
	return s.lock(out, s.aeads[s.current], key, bytes.Clone(out))
}

// parts takes what is sealed apart: under which key, and what comes behind the header.
func (s *sealer) parts(sealed []byte) (header, rest []byte, aead cipher.AEAD, err error) {
	if len(sealed) < 2 || (sealed[0] != sealDirect && sealed[0] != sealEnvelope) || len(sealed) < 2+int(sealed[1])+nonceSize {
		return nil, nil, nil, unreadable(nil)
	}
	n := 2 + int(sealed[1])
	if aead = s.aeads[string(sealed[2:n])]; aead == nil {
		return nil, nil, nil, unreadable(nil)
	}
	return sealed[:n], sealed[n:], aead, nil
}

func unlock(aead cipher.AEAD, sealed, label []byte) ([]byte, error) {
	if len(sealed) < nonceSize {
		return nil, unreadable(nil)
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], label)
	if err != nil {
		return nil, unreadable(err)
	}
	return plain, nil
}

func (s *sealer) open(sealed []byte) ([]byte, error) {
	header, rest, aead, err := s.parts(sealed)
	if err != nil {
		return nil, err
	}
	if header[0] == sealDirect {
		return unlock(aead, rest, header)
	}
	if len(rest) < wrapSize {
		return nil, unreadable(nil)
	}
	key, err := unlock(aead, rest[:wrapSize], header)
	if err != nil {
		return nil, err
	}
	data, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return unlock(data, rest[wrapSize:], bodyLabel)
}

// reseal brings what is sealed under the current key, in the form that is written now. Of an envelope only the data key is sealed
// anew; its secret is opened, so that what can't be read is found while its key is still there.
func (s *sealer) reseal(sealed []byte) ([]byte, error) {
	plain, err := s.open(sealed)
	if err != nil {
		return nil, err
	}
	if sealed[0] != sealEnvelope || s.direct {
		return s.close(plain)
	}
	header, rest, aead, err := s.parts(sealed)
	if err != nil {
		return nil, err
	}
	key, err := unlock(aead, rest[:wrapSize], header)
	if err != nil {
		return nil, err
	}
	out, err := s.wrap(key, len(rest)-wrapSize)
	if err != nil {
		return nil, err
	}
	return append(out, rest[wrapSize:]...), nil
}

// fresh is how what is sealed now begins.
func (s *sealer) fresh() []byte {
	if s.direct {
		return s.header(sealDirect, 0)
	}
	return s.header(sealEnvelope, 0)
}

func unreadable(cause error) error {
	return fault.Internal("a sealed value can't be opened: it was changed, or its key is gone", cause)
}

// Seal encrypts plain under the current key. Two seals of the same text differ.
func (s *Store) Seal(plain []byte) ([]byte, error) { return s.seal.close(plain) }

// OpenSealed decrypts what Seal made under any key it still has. Anything else is fault.Internal.
func (s *Store) OpenSealed(sealed []byte) ([]byte, error) { return s.seal.open(sealed) }

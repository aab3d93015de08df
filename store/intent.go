package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// freeze is a request as its intent keeps it: the hash in bytes, and the request sealed (I-13).
func (s *Store) freeze(requestHash string, request json.RawMessage) (hash, sealed []byte, err error) {
	hash, err = hex.DecodeString(requestHash)
	if err != nil || len(hash) != 32 || len(request) == 0 {
		return nil, nil, fault.Internal("an intent holds its frozen request and that one's hash", err)
	}
	sealed, err = s.Seal(request)
	return hash, sealed, err
}

// frozen is a committed intent as it was read.
type frozen struct {
	key, requestHash string
	bornAt           time.Time
	account          string
	sealed           []byte
}

// thaw opens what the call of an intent needs: the request into request, its key as it was born, and its account.
func (s *Store) thaw(ctx context.Context, db *database, f frozen, request any) (channels.Key, channels.Account, error) {
	text, err := s.OpenSealed(f.sealed)
	if err != nil {
		return channels.Key{}, channels.Account{}, err
	}
	if err := json.Unmarshal(text, request); err != nil {
		return channels.Key{}, channels.Account{}, fault.Internal("a frozen request can't be read", err)
	}
	key, err := channels.NewKey(f.key, f.requestHash, f.bornAt)
	if err != nil {
		return key, channels.Account{}, err
	}
	account, err := s.account(ctx, db, f.account)
	return key, account, err
}

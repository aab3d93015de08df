package wechatpay

import (
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"maps"
	"slices"
	"sync"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// opened is what an account's credentials open.
type opened struct {
	mchID, appID, serial string
	key                  *rsa.PrivateKey
	apiKey               []byte
	publicID             string
	public               *rsa.PublicKey // nil: certificates only
	scene                string
	reports              []report
	certs                *certificates
}

// vault remembers what credentials open, because reading a key costs more than using it. What it remembers goes by the
// credentials themselves, so that changed ones are never mixed with old ones.
type vault struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]*opened
}

// maxEntries bounds the memory; beyond it everything is read anew.
const maxEntries = 1024

func newVault() *vault { return &vault{entries: map[[sha256.Size]byte]*opened{}} }

func (v *vault) open(a channels.Account) (*opened, error) {
	print := fingerprint(a)
	v.mu.Lock()
	o := v.entries[print]
	v.mu.Unlock()
	if o != nil {
		return o, nil
	}
	o, err := read(a)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.entries[print]; known != nil {
		return known, nil
	}
	if len(v.entries) >= maxEntries {
		clear(v.entries)
	}
	v.entries[print] = o
	return o, nil
}

func fingerprint(a channels.Account) (sum [sha256.Size]byte) {
	h := sha256.New()
	write := func(texts ...string) {
		for _, text := range texts {
			n := len(text)
			_, _ = h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
			_, _ = io.WriteString(h, text)
		}
	}
	write(a.ID, string(a.Book), a.BaseURL)
	for _, name := range slices.Sorted(maps.Keys(a.Credentials)) {
		write(name, a.Credentials[name])
	}
	h.Sum(sum[:0])
	return sum
}

// read opens credentials. A test or shadow book has no WeChat Pay to play with: its accounts name an address of their
// own, or real money would move for it (I-25).
func read(a channels.Account) (*opened, error) {
	c := a.Credentials
	for _, each := range credentials {
		if value := c[each.Name]; value == "" && each.Required || value != "" && each.Check(value, a.Book) != "" {
			return nil, fault.Internal("the WeChat Pay account "+a.ID+" has no usable "+each.Name, nil)
		}
	}
	if a.Book != id.Live && a.BaseURL == "" {
		return nil, fault.Internal("the WeChat Pay account "+a.ID+" isn't of the live book and has no address of its own", nil)
	}
	if (c[PublicKey] == "") != (c[PublicKeyID] == "") {
		return nil, fault.Internal("the WeChat Pay account "+a.ID+" has only one of public_key and public_key_id", nil)
	}
	o := &opened{mchID: c[MchID], appID: c[AppID], serial: c[SerialNo], apiKey: []byte(c[APIv3Key]), publicID: c[PublicKeyID],
		scene: c[TransferScene], certs: &certificates{}}
	// The checks have read all of these once.
	o.key, _ = parsePrivate(c[PrivateKey])
	o.reports, _ = parseReport(c[TransferReport])
	if c[PublicKey] != "" {
		o.public, _ = parsePublic(c[PublicKey])
	}
	return o, nil
}

package channels

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/gowebpki/jcs"

	"paysaga/domain/fault"
)

// Freeze is a request as an intent commits it: canonical JSON (RFC 8785), and
// the hex SHA-256 of that. Equal requests freeze to equal bytes (I-13).
func Freeze(request any) (canonical json.RawMessage, hash string, err error) {
	raw, err := json.Marshal(request)
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		return nil, "", fault.Internal("a request can't be frozen", err)
	}
	sum := sha256.Sum256(raw)
	return raw, hex.EncodeToString(sum[:]), nil
}

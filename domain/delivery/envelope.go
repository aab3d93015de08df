package delivery

import (
	"encoding/json"
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/trade"
)

// Versions returns the API versions that an endpoint can be pinned to, newest first.
func Versions() []string { return []string{trade.APIVersion} }

// CheckVersion refuses a version that no event can be told in; param is the path of the field.
func CheckVersion(param, version string) error {
	if !slices.Contains(Versions(), version) {
		return fault.Invalid("api_version_unknown", param, "no such version of the API")
	}
	return nil
}

// MaxBody is the largest body in bytes. Objects are far smaller; what isn't is a bug of ours.
const MaxBody = 256 << 10

// Body writes an event as an endpoint of this version gets it. It is called once for each event and version; what it
// returns is stored, and every try sends those bytes: neither a later release nor the database's own idea of JSON may
// change what was signed before. The data is taken as it stands, secrets included.
func Body(e trade.Event, version string) ([]byte, error) {
	if err := CheckVersion("api_version", version); err != nil {
		return nil, err
	}
	if e.ID == "" || e.Type == "" || e.Object.ID == "" || e.Object.Sequence < 1 || len(e.Data) == 0 {
		return nil, fault.Internal("an event without id, type, object or data", nil)
	}
	e.APIVersion = version
	e.CreatedAt = e.CreatedAt.UTC().Truncate(time.Microsecond)
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fault.Internal("an event that is no JSON", err)
	}
	if len(body) > MaxBody {
		return nil, fault.Internal("an event larger than any should be", nil)
	}
	return body, nil
}

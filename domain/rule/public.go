package rule

import (
	"encoding/json"
	"time"
)

// Public is a version of a rule set as the API shows it: schema RuleSet of
// openapi.yaml.
type Public struct {
	Object     string          `json:"object"`
	Livemode   bool            `json:"livemode"`
	MerchantID string          `json:"merchant_id,omitempty"` // empty: the platform's
	Kind       Kind            `json:"kind"`
	Version    int             `json:"version"`
	Active     bool            `json:"active"`
	Definition json.RawMessage `json:"definition"`
	Note       string          `json:"note,omitempty"`
	CreatedBy  string          `json:"created_by"`
	CreatedAt  time.Time       `json:"created_at"`
}

// Public renders s.
func (s Set) Public() Public {
	return Public{Object: "rule_set", Livemode: s.Book.Livemode(), MerchantID: s.MerchantID, Kind: s.Kind, Version: s.Version,
		Active: s.Active, Definition: s.Definition, Note: s.Note, CreatedBy: s.By.ID, CreatedAt: s.CreatedAt.UTC()}
}

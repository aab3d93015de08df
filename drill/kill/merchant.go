package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// merchant is one merchant of a round, made by paysaga's own commands.
type merchant struct {
	Name string `json:"name"`
	ID   string `json:"merchant_id"`
	Key  string `json:"api_key"`
}

// merchants makes three: on the express lane, on the standard lane, and with an
// account on each, so that a soft decline goes on to the next one.
func (s *set) merchants(ctx context.Context) ([]merchant, error) {
	var list []merchant
	for _, lanes := range []string{"express", "standard", "express,standard"} {
		m := merchant{}
		url := s.sandboxURL
		if !strings.HasPrefix(lanes, "express") {
			url = ""
		}
		out, err := s.run(ctx, nil, "merchant", "create", lanes, "--json", "--fee-bps=60", "--sandbox-base-url="+url)
		if err == nil {
			err = json.Unmarshal(out, &m)
		}
		if err == nil && strings.HasSuffix(lanes, "standard") {
			secret := fmt.Sprintf(`{"secret":"drill-%s"}`, m.ID)
			_, err = s.run(ctx, strings.NewReader(secret), "channel", "add", "sandbox", "--merchant="+m.ID, "--lane=standard", "--base-url="+s.sandboxURL)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

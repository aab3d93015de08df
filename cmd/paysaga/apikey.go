package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// apiKeyCommand groups what is done about keys that callers authenticate with.
type apiKeyCommand struct {
	List   apiKeyList   `cmd:"" help:"List a book's keys: whose each is, what it may do, and what it lacks of what a new one gets."`
	Create apiKeyCreate `cmd:"" help:"Make a key, with all usual scopes or just some. It is shown once."`
	Scopes apiKeyScopes `cmd:"" help:"Show what a key may do, or change it."`
	Rotate apiKeyRotate `cmd:"" help:"Make a successor with the same scopes, and let the key itself end after a while."`
	Revoke apiKeyRevoke `cmd:"" help:"End a key at once: what comes with it is refused."`
	Acts   apiKeyActs   `cmd:"" help:"List what was done to a key, by whom and why."`
}

type apiKeyList struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Of             string `placeholder:"mer_…|opr_…" help:"Only this merchant's or operator's."`
	Missing        bool   `help:"Only those that work and lack a usual scope: they were made before it came, or were given less."`
	Revoked        bool   `help:"Also those that no longer work."`
	JSON           bool   `help:"A JSON object per key and line."`
}

// Run prints a line for each key.
func (c *apiKeyList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.Keys(a.ctx, id.Book(c.Book), c.Of)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(t, "KEY\tOF\tMADE\tSTANDING\tMAY\tLACKS")
	}
	now := time.Now()
	for _, k := range list {
		over := !k.RevokedAt.IsZero() && !k.RevokedAt.After(now)
		missing := access.Missing(k.Kind(), k.Scopes)
		if (over && !c.Revoked) || (c.Missing && len(missing) == 0) {
			continue
		}
		if c.JSON {
			if err := json.NewEncoder(a.out).Encode(k); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d scopes\t%s\n", k.ID, cmp.Or(k.MerchantID, k.OperatorID), k.CreatedAt.Format(time.DateOnly), keyStands(k, now), len(k.Scopes),
			cmp.Or(words(missing), "-"))
	}
	return t.Flush()
}

func keyStands(k store.APIKey, now time.Time) string {
	switch {
	case k.RevokedAt.IsZero():
		return "active"
	case k.RevokedAt.After(now):
		return "until " + k.RevokedAt.Format(time.RFC3339)
	}
	return "revoked"
}

func words(scopes []access.Scope) string {
	list := make([]string, len(scopes))
	for i, s := range scopes {
		list[i] = string(s)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

type apiKeyCreate struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Of             string   `arg:"" placeholder:"mer_…|opr_…" help:"Whose key it is."`
	Book           string   `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Scopes         []string `placeholder:"payments:read,…" help:"What it may do; by default everything that is usual."`
}

// Run makes the key and shows it.
func (c *apiKeyCreate) Run(a *app) error {
	g := store.KeyGrant{Book: id.Book(c.Book), MerchantID: c.Of, Scopes: asScopes(c.Scopes)}
	kind := ledger.ByMerchant
	if id.Is(id.Operator, c.Of) {
		g.MerchantID, g.OperatorID, kind = "", c.Of, ledger.ByOperator
	} else if !id.Is(id.Merchant, c.Of) {
		return wrong("OF", "is neither a merchant's id, mer_…, nor an operator's, opr_…")
	}
	if g.Scopes != nil {
		if err := access.CheckScopes(kind, g.Scopes); err != nil {
			return err
		}
	}
	return withDecision(a, c.databaseConfig, c.decision, func(ctx context.Context, s *store.Store, by ledger.Principal) (err error) {
		if g.By = by; kind == ledger.ByMerchant {
			_, err = s.Merchant(ctx, g.Book, c.Of)
		} else {
			_, err = s.Operator(ctx, c.Of)
		}
		if err != nil {
			return err
		}
		keyID, token, err := s.CreateKey(ctx, g)
		if err != nil {
			return err
		}
		return showKey(a, keyID, token)
	})
}

func showKey(a *app, keyID, token string) error {
	_, err := fmt.Fprintf(a.out, "API key   %s (%s)\nThe key is shown this once: only its hash is stored.\n", token, keyID)
	return err
}

func asScopes(list []string) (scopes []access.Scope) {
	for _, s := range list {
		scopes = append(scopes, access.Scope(strings.TrimSpace(s)))
	}
	return scopes
}

// withDecision does something that an operator has decided.
func withDecision(a *app, db databaseConfig, d decision, do func(context.Context, *store.Store, ledger.Principal) error) error {
	s, err := openStore(a.ctx, db)
	if err != nil {
		return err
	}
	defer s.Close()
	by, err := d.by(a.ctx, s)
	if err != nil {
		return err
	}
	return do(a.ctx, s, by)
}

type apiKeyScopes struct {
	databaseConfig `embed:""`
	Operator       string   `placeholder:"opr_…" help:"The operator who decides a change."`
	Reason         string   `placeholder:"TEXT" help:"Why it is changed. It is recorded."`
	Key            string   `arg:"" placeholder:"key_…" help:"The key's id, from 'api-key list': not its secret."`
	Grant          []string `placeholder:"disputes:read,…" help:"Scopes that it gets."`
	GrantUsual     bool     `help:"It gets everything that a new key gets."`
	Withdraw       []string `placeholder:"payouts:write,…" help:"Scopes that it loses."`
}

// Run shows the scopes, after changing them if it is to.
func (c *apiKeyScopes) Run(a *app) error {
	if err := checkKeyID(c.Key); err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	var k store.APIKey
	if !c.GrantUsual && c.Grant == nil && c.Withdraw == nil {
		k, err = s.Key(a.ctx, c.Key)
	} else if c.Operator == "" || c.Reason == "" {
		return wrong("--operator and --reason", "are needed: a change is recorded with who made it and why")
	} else {
		var by ledger.Principal
		if by, err = (decision{c.Operator, c.Reason}).by(a.ctx, s); err == nil {
			k, err = s.ScopeKey(a.ctx, c.Key, c.change, by)
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s of %s may   %s\n", k.ID, cmp.Or(k.MerchantID, k.OperatorID), words(k.Scopes))
	if missing := access.Missing(k.Kind(), k.Scopes); len(missing) > 0 {
		fmt.Fprintf(a.out, "a new key may also  %s\n", words(missing))
	}
	return nil
}

func (c *apiKeyScopes) change(k store.APIKey) []access.Scope {
	scopes := slices.Clone(k.Scopes)
	add := asScopes(c.Grant)
	if c.GrantUsual {
		add = append(add, access.Usual(k.Kind())...)
	}
	for _, s := range add {
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	lost := asScopes(c.Withdraw)
	return slices.DeleteFunc(scopes, func(s access.Scope) bool { return slices.Contains(lost, s) })
}

// checkKeyID refuses a secret, above all, before it gets anywhere.
func checkKeyID(keyID string) error {
	if !id.Is(id.APIKey, keyID) {
		return wrong("KEY", "is not the id of a key, key_…, as 'api-key list' shows it")
	}
	return nil
}

type apiKeyRotate struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Key            string        `arg:"" placeholder:"key_…" help:"The key's id."`
	Overlap        time.Duration `default:"24h" help:"How long the old key goes on; 0s: it ends at once."`
}

// Run shows the successor.
func (c *apiKeyRotate) Run(a *app) error {
	if err := checkKeyID(c.Key); err != nil {
		return err
	}
	if c.Overlap < 0 || c.Overlap > 30*24*time.Hour {
		return wrong("--overlap", "must be 0s to 720h")
	}
	return withDecision(a, c.databaseConfig, c.decision, func(ctx context.Context, s *store.Store, by ledger.Principal) error {
		k, token, err := s.RotateKey(ctx, c.Key, c.Overlap, by)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s ends at %s\n", c.Key, time.Now().Add(c.Overlap).UTC().Format(time.RFC3339))
		return showKey(a, k.ID, token)
	})
}

type apiKeyRevoke struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Key            string `arg:"" placeholder:"key_…" help:"The key's id."`
}

// Run revokes it.
func (c *apiKeyRevoke) Run(a *app) error {
	if err := checkKeyID(c.Key); err != nil {
		return err
	}
	return withDecision(a, c.databaseConfig, c.decision, func(ctx context.Context, s *store.Store, by ledger.Principal) error {
		if err := s.EndKey(ctx, c.Key, by); err != nil {
			return err
		}
		_, err := fmt.Fprintf(a.out, "%s is revoked; every process hears of it within %s\n", c.Key, heard)
		return err
	})
}

type apiKeyActs struct {
	databaseConfig `embed:""`
	Key            string `arg:"" placeholder:"key_…" help:"The key's id."`
}

// Run prints a line for each act.
func (c *apiKeyActs) Run(a *app) error {
	if err := checkKeyID(c.Key); err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	acts, err := s.KeyActs(a.ctx, c.Key)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "AT\tACT\tBY\tREASON\tSUCCESSOR\tMAY SINCE")
	for _, one := range acts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", one.At.UTC().Format(time.RFC3339), one.Act, one.By, one.Reason, cmp.Or(one.Successor, "-"), words(one.Scopes))
	}
	return t.Flush()
}

package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
)

// AddRiskEntry puts a value on a list. A personal one is digested before anything keeps it (I-26).
func (s *server) AddRiskEntry(c echo.Context, _ AddRiskEntryParams) error {
	var r RiskEntryRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if err := s.judgeEntry(r); err != nil {
		return err
	}
	if err := s.conforms("addRiskEntry", raw); err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	digest, err := s.Lists.Digest(ctx, who.Book, r.Kind, r.Value)
	if err != nil {
		return err
	}
	line := risk.Line{Book: who.Book, MerchantID: who.merchant, By: who.by(c), Until: value(r.Until), Entry: risk.Entry{
		Listed: risk.Listed{Kind: r.Kind, Value: digest}, Block: r.List == "block", Hard: value(r.Hard), OverHard: value(r.OverHard), Reason: r.Reason}}
	if err := line.Check(); err != nil {
		return err
	}
	if line, err = s.Lists.ListEntry(ctx, line); err != nil {
		return err
	}
	return reply(c, http.StatusCreated, mediaJSON, entryView(line))
}

// judgeEntry judges what the digest would hide.
func (s *server) judgeEntry(r RiskEntryRequest) error {
	bad := func(message string) error { return fault.Invalid("list_value_invalid", "value", message) }
	switch {
	case !r.Kind.Valid():
		return fault.Invalid("list_kind_unknown", "kind", "there is no list of this kind")
	case r.List != "block" && r.List != "allow":
		return fault.Invalid("list_unknown", "list", "a list is block or allow")
	case r.Value == "" || !written(r.Value, 255, ""):
		return bad("a value is 1 to 255 characters, none of them a control character")
	case r.Kind == risk.KindCustomer && !id.Is(id.User, r.Value):
		return bad("a customer is listed by its id, usr_…")
	case r.Kind == risk.KindCountry && !countryCode.MatchString(r.Value):
		return bad("a country has two capital letters")
	case r.Kind == risk.KindEmail && !mailAddress.MatchString(r.Value):
		return bad("this is not a mail address")
	case r.Kind == risk.KindPhone && !phoneNumber.MatchString(r.Value):
		return bad("a phone number is E.164, as in +8613800138000")
	case r.Until != nil && (!r.Until.After(s.Now()) || r.Until.Year() >= 2200):
		return fault.Invalid("until_invalid", "until", "an entry holds until some time to come")
	case r.Reason == "":
		return fault.Invalid("reason_required", "reason", "people say why")
	case !written(r.Reason, 200, ""):
		return fault.Invalid("reason_invalid", "reason", "a reason is at most 200 characters, none of them a control character")
	}
	return nil
}

// ListRiskEntries lists what stands on the owner's lists.
func (s *server) ListRiskEntries(c echo.Context, p ListRiskEntriesParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Lists.ListEntries(ctx, risk.Query{Book: who.Book, MerchantID: who.merchant, Kind: value(p.Kind),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
	if err != nil {
		return err
	}
	page := RiskEntryPage{Data: []RiskEntry{}, HasMore: more}
	for _, l := range list {
		page.Data = append(page.Data, entryView(l))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// RemoveRiskEntry takes an entry off its list.
func (s *server) RemoveRiskEntry(c echo.Context, entryID RiskEntryID, _ RemoveRiskEntryParams) error {
	var r RemoveRiskEntryRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if err := rule.CheckNote("reason", r.Reason, true); err != nil {
		return err
	}
	if err := s.conforms("removeRiskEntry", raw); err != nil {
		return err
	}
	if !isRiskEntry(entryID) {
		return fault.NotFound("list entry")
	}
	who := callerOf(c)
	by := who.by(c)
	by.Reason = r.Reason
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.Lists.UnlistEntry(ctx, who.Book, who.merchant, entryID, by); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func entryView(l risk.Line) RiskEntry {
	v := RiskEntry{ID: l.ID, Object: "list_entry", Livemode: l.Book.Livemode(), Kind: l.Kind, Value: l.Value, List: "allow", Reason: l.Reason,
		CreatedBy: l.By.ID, CreatedAt: l.CreatedAt.UTC()}
	yes := true
	if l.Block {
		v.List = "block"
	}
	if l.Hard {
		v.Hard = &yes
	}
	if l.OverHard {
		v.OverHard = &yes
	}
	if l.MerchantID != "" {
		v.MerchantID = &l.MerchantID
	}
	if !l.Until.IsZero() {
		until := l.Until.UTC().Truncate(time.Microsecond)
		v.Until = &until
	}
	return v
}

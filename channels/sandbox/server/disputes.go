package server

import (
	"encoding/json"
	"net/http"
	"slices"
)

// Disputing is the body of POST /admin/dispute: what a customer's bank does about a charge.
type Disputing struct {
	Reference   string `json:"reference"`    // a reference, a key or a payment id
	Act         string `json:"act"`          // open, lose, win
	Dispute     string `json:"dispute"`      // which one; empty: the last
	AmountMinor int64  `json:"amount_minor"` // of open; 0: all that was captured
	FeeMinor    int64  `json:"fee_minor"`    // what the sandbox takes for it, as it stands now
	Reason      string `json:"reason"`
}

var disputeActs = map[string]string{"open": "open", "lose": "lost", "win": "won"}

// disputed is what the charge's disputes that aren't won have taken.
func (c *Charge) disputed() (sum int64) {
	for _, d := range c.Disputes {
		if d.Status != "won" {
			sum += d.AmountMinor
		}
	}
	return sum
}

// adminDispute opens a dispute, or decides it, and calls back.
func (s *Server) adminDispute(w http.ResponseWriter, r *http.Request) error {
	var q Disputing
	if err := decode(r, &q); err != nil {
		return err
	}
	if _, _, err := s.Dispute(q.Reference, q); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.Lookup(q.Reference))
	return nil
}

// Dispute does what POST /admin/dispute does. It returns the callback's body and the value of Sandbox-Signature.
func (s *Server) Dispute(name string, q Disputing) (body []byte, signature string, err error) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	c := s.newest(name)
	status := disputeActs[q.Act]
	switch {
	case c == nil:
		return nil, "", refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this name")
	case status == "":
		return nil, "", invalid("act", "act is open, lose or win")
	case q.AmountMinor < 0 || q.AmountMinor > maxAmount || q.FeeMinor < 0 || q.FeeMinor > maxAmount || len(q.Reason) > 255:
		return nil, "", invalid("amount_minor", "amounts aren't negative")
	case c.CapturedMinor == 0:
		return nil, "", refuse(http.StatusConflict, "not_disputable", "nothing was captured of this charge")
	}
	d, err := c.dispute(q)
	if err != nil {
		return nil, "", err
	}
	d.Status, d.FeeMinor, d.At = status, q.FeeMinor, s.Now()
	d.Said++
	c.UpdatedAt = d.At
	s.book.save(c)
	on := s.deliveryOfDispute(c, d)
	if c.CallbackURL != "" {
		s.sender.enqueue(on)
	}
	return on.body, Signature(on.secret, s.Now(), on.body), nil
}

// dispute finds the one that is meant, or opens it.
func (c *Charge) dispute(q Disputing) (*Dispute, error) {
	i := len(c.Disputes) - 1
	if q.Dispute != "" {
		i = slices.IndexFunc(c.Disputes, func(d Dispute) bool { return d.ID == q.Dispute })
	}
	if q.Act == "open" && q.Dispute == "" {
		if q.AmountMinor == 0 {
			q.AmountMinor = c.CapturedMinor
		}
		if q.Reason == "" {
			q.Reason = "fraudulent"
		}
		c.Disputes = append(slices.Clone(c.Disputes), Dispute{ID: c.ID + "_d" + itoa(int64(len(c.Disputes)+1)), AmountMinor: q.AmountMinor, Reason: q.Reason})
		i = len(c.Disputes) - 1
	}
	if i < 0 {
		return nil, refuse(http.StatusNotFound, "dispute_not_found", "there is no such dispute of the charge")
	}
	return &c.Disputes[i], nil
}

func (s *Server) deliveryOfDispute(c *Charge, d *Dispute) delivery {
	body, _ := json.Marshal(Event{EventID: d.ID + "_e" + itoa(int64(d.Said)), Type: "dispute." + d.Status, Reference: c.Reference, Key: c.Key,
		State: State(d.Status), AmountMinor: d.AmountMinor, Currency: c.Currency, ChannelID: d.ID, OccurredAt: d.At, FeeMinor: d.FeeMinor,
		Reason: d.Reason}) // a plain struct
	return delivery{about: d.ID, url: c.CallbackURL, secret: s.book.secrets[c.Account], body: body}
}

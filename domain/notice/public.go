package notice

import "time"

// Public is a message as the API shows it: where it stands, and what it says. It holds no address.
type Public struct {
	ID         string     `json:"id"`
	Object     string     `json:"object"`
	Livemode   bool       `json:"livemode"`
	MerchantID string     `json:"merchant_id"`
	UserID     string     `json:"user_id"`
	EventID    string     `json:"event_id"`
	Type       string     `json:"type"`
	Subject    Subject    `json:"subject"`
	ObjectType string     `json:"object_type"`
	ObjectID   string     `json:"object_id"`
	Medium     Medium     `json:"medium"`
	Language   Language   `json:"language"`
	Status     State      `json:"status"`
	Reason     string     `json:"reason,omitempty"`
	Tries      int        `json:"tries"`
	Title      string     `json:"title"`
	Text       string     `json:"text"`
	CreatedAt  time.Time  `json:"created_at"`
	NextTryAt  *time.Time `json:"next_try_at,omitempty"`
	TriedAt    *time.Time `json:"tried_at,omitempty"`
	SentAt     *time.Time `json:"sent_at,omitempty"`
}

// Public is what may be shown to the merchant and to the person.
func (r Row) Public(title, text string) Public {
	return Public{ID: r.ID, Object: "notification", Livemode: r.Book.Livemode(), MerchantID: r.MerchantID, UserID: r.UserID, EventID: r.EventID,
		Type: r.Type, Subject: SubjectOf(r.Type), ObjectType: r.ObjectType, ObjectID: r.ObjectID, Medium: r.Medium, Language: r.Language,
		Status: r.State, Reason: r.Reason, Tries: r.Tries, Title: title, Text: text, CreatedAt: r.CreatedAt.UTC(),
		NextTryAt: given(r.NextAt), TriedAt: given(r.TriedAt), SentAt: given(r.SentAt)}
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// PublicSettings are a merchant's settings as the API shows them.
type PublicSettings struct {
	Object   string   `json:"object"`
	Livemode bool     `json:"livemode"`
	Media    []Medium `json:"media"`
	Language Language `json:"language"`
	Sender   string   `json:"sender,omitempty"`
	Quiet    *Quiet   `json:"quiet_hours,omitempty"`
	TimeZone string   `json:"time_zone,omitempty"`
}

// Public is what the merchant is shown.
func (s Settings) Public() PublicSettings {
	return PublicSettings{Object: "notification_settings", Livemode: s.Book.Livemode(), Media: s.Media, Language: s.Language, Sender: s.Sender,
		Quiet: s.Quiet, TimeZone: s.TimeZone}
}

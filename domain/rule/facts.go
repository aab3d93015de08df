package rule

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Facts are what is known of a payment before any channel hears of it. All of
// it is given by the caller; nothing here is looked up. A fact that isn't known
// is its type's zero.
type Facts struct {
	PaymentID  string // decides the side of a volume split; no rule sees it
	MerchantID string
	// Channel is the channel that the request names; empty: any.
	Channel     string
	Method      payment.MethodType
	Capture     payment.CaptureMethod
	Currency    money.Currency
	AmountMinor int64 // minor units of Currency
	OrderType   string
	OrderRef    string // the merchant's reference
	CustomerID  string // usr_…
	CustomerRef string // the merchant's reference of the customer
	// CustomerSince is when the merchant first named this customer.
	CustomerSince time.Time
	Country       string // of the customer, ISO 3166-1 alpha-2 in capitals
	Metadata      map[string]string
	CreatedAt     time.Time // when the payment was received: the only clock of a rule
	// Zone is the merchant's time zone; nil is UTC.
	Zone *time.Location
}

// Local is the time of the payment on the merchant's clock.
func (f Facts) Local() time.Time {
	if f.Zone == nil {
		return f.CreatedAt.UTC()
	}
	return f.CreatedAt.In(f.Zone)
}

// Fact is a name that rules may use.
type Fact struct {
	Name string
	// Text says what it is, with its unit.
	Text string
	kind *cel.Type
	read func(*Facts) any
}

// Strings declares a fact of text that a package brings besides those of the
// payment. Its value is given at each evaluation.
func Strings(name, text string) Fact {
	return Fact{Name: name, Text: text, kind: cel.StringType}
}

// Texts, Integers, Durations, Times and Maps declare facts of environments that
// hold no payment (NewEnvOf); whoever evaluates brings their values.
func Texts(name, text string) Fact     { return Fact{Name: name, Text: text, kind: cel.StringType} }
func Integers(name, text string) Fact  { return Fact{Name: name, Text: text, kind: cel.IntType} }
func Durations(name, text string) Fact { return Fact{Name: name, Text: text, kind: cel.DurationType} }
func Times(name, text string) Fact     { return Fact{Name: name, Text: text, kind: cel.TimestampType} }
func Maps(name, text string) Fact {
	return Fact{Name: name, Text: text, kind: cel.MapType(cel.StringType, cel.StringType)}
}

// Known returns the facts of a payment that every rule may use, in the order of
// the documentation.
func Known() []Fact {
	return []Fact{
		{"amount", "integer, minor units of currency: 1234 is CNY 12.34, but JPY 1234", cel.IntType,
			func(f *Facts) any { return types.Int(f.AmountMinor) }},
		{"amount_text", "text, major units with all decimals: \"12.34\"", cel.StringType,
			func(f *Facts) any { return types.String(money.New(f.AmountMinor, f.Currency).Decimal()) }},
		{"currency", "text, ISO 4217 in capitals: \"CNY\"", cel.StringType,
			func(f *Facts) any { return types.String(f.Currency) }},
		{"method", "text: \"qr\", \"redirect\" or \"card_token\"", cel.StringType,
			func(f *Facts) any { return types.String(f.Method) }},
		{"capture", "text: \"automatic\" or \"manual\"", cel.StringType,
			func(f *Facts) any { return types.String(f.Capture) }},
		{"channel", "text: the channel that the request names, \"\" if it names none", cel.StringType,
			func(f *Facts) any { return types.String(f.Channel) }},
		{"merchant_id", "text: mer_…", cel.StringType, func(f *Facts) any { return types.String(f.MerchantID) }},
		{"order_type", "text: the type of the order", cel.StringType, func(f *Facts) any { return types.String(f.OrderType) }},
		{"order_reference", "text: your reference of the order", cel.StringType,
			func(f *Facts) any { return types.String(f.OrderRef) }},
		{"customer_id", "text: usr_…, \"\" without a customer", cel.StringType,
			func(f *Facts) any { return types.String(f.CustomerID) }},
		{"customer_reference", "text: your reference of the customer, \"\" without one", cel.StringType,
			func(f *Facts) any { return types.String(f.CustomerRef) }},
		{"customer_age", "duration since you first named this customer; 0s if that is not known", cel.DurationType, age},
		{"country", "text: the customer's country, ISO 3166-1 alpha-2 in capitals, \"\" if unknown", cel.StringType,
			func(f *Facts) any { return types.String(f.Country) }},
		{"metadata", "map of text to text: the payment's metadata", cel.MapType(cel.StringType, cel.StringType), metadata},
		{"created_at", "timestamp: when the payment was received", cel.TimestampType,
			func(f *Facts) any { return types.Timestamp{Time: f.CreatedAt.UTC()} }},
		{"hour", "integer 0–23 in your time zone", cel.IntType, func(f *Facts) any { return types.Int(f.Local().Hour()) }},
		{"weekday", "integer 1 (Monday) – 7 (Sunday) in your time zone", cel.IntType,
			func(f *Facts) any { return types.Int((f.Local().Weekday()+6)%7 + 1) }},
		{"day", "integer 1–31, the day of the month in your time zone", cel.IntType,
			func(f *Facts) any { return types.Int(f.Local().Day()) }},
	}
}

// age is never negative: a customer first named by this very payment is new.
func age(f *Facts) any {
	if f.CustomerSince.IsZero() {
		return types.Duration{}
	}
	return types.Duration{Duration: max(0, f.CreatedAt.Sub(f.CustomerSince))}
}

func metadata(f *Facts) any {
	if f.Metadata == nil {
		return map[string]string{}
	}
	return f.Metadata
}

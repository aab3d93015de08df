package access

// Idempotency is the row that decides who was first (I-20): unique by book,
// merchant, operation and key. A repeat with the same hash returns the first
// object; another hash is fault.Invalid "idempotency_key_reused".
type Idempotency struct {
	MerchantID  string
	Operation   string // "POST /v1/payments", with path ids filled in
	Key         string
	RequestHash string // hex SHA-256 over the canonical JSON of the body as sent
}

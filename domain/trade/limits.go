package trade

// The limits of an order. Each is far above what honest orders need and keeps some cost bounded.
const (
	// MaxLines keeps an order with its lines well within a request body of 64 KiB.
	MaxLines = 100
	// MaxAdjustments is a few of each type.
	MaxAdjustments = 20
	// MaxReference is what channels show to payers; the search attribute OrderRef would take 255 bytes.
	MaxReference = 64
	// MaxSKU is longer than any GTIN, ASIN or usual shop code.
	MaxSKU = 64
	// MaxCategory is a path in a shop's tree of goods.
	MaxCategory = 64
	// MaxDescription is a line on a receipt, not a page.
	MaxDescription = 255
	// MaxQuantity is a truck full of screws; times the largest price it is overflow-checked all the same.
	MaxQuantity = 1_000_000
)

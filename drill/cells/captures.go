package cells

import (
	"fmt"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
)

// captures takes parts of what is reserved, one after the other, and then waits until the payment is paid; an empty amount takes the
// rest.
func captures(amounts ...string) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		for i, amount := range amounts {
			body := map[string]any{}
			if amount != "" {
				body["amount"] = amount
			}
			if _, err := r.order("/v1/payments/"+paymentID+"/capture", fmt.Sprintf("capture-%d", i+1), body); err != nil {
				return err
			}
		}
		return r.UntilStatus(paymentID, payment.Paid)
	}
}

// Captures are the scenarios of what is reserved first and taken later.
func Captures() []Scenario {
	exact := "the sandbox captures what it is asked to"
	return []Scenario{
		{Name: "captured", Play: held(captures("")), Ends: []string{paid},
			Boundaries: of("payment", reads("FindCapture", 1).told(), calls("Capture", 1).told(), commits("BookCapture", 1).told()),
			Without:    map[string]string{"payment/Capture-1:effect:wrong_amount": exact}},
		{Name: "captured_in_parts", Play: held(captures("3.00", "")), Ends: []string{paid},
			Boundaries: of("payment", calls("Capture", 2).told(), commits("BookCapture", 2).told()),
			Without:    map[string]string{"payment/Capture-2:effect:wrong_amount": exact}},
		{Name: "capture_in_doubt", Play: func(r *Run) error {
			return held(func(r *Run, paymentID string) error {
				err := r.script("", map[string]any{"operation": "capture", "fault": "500_after", "times": 1})
				if err != nil {
					return err
				}
				return captures("")(r, paymentID)
			})(r)
		}, Ends: []string{paid}, Boundaries: of("payment", commits("BookCapture", 1).told(), commits("BookCapture", 2).told())},
		{Name: "lapsed", Ends: []string{canceled}, Boundaries: of("payment", commits("Fence", 1).told(), asks("Close", 1).told()),
			Server: func(c *server.Config) { c.AuthorizedFor = time.Hour + 5*time.Second },
			Play: held(func(r *Run, paymentID string) error { // its timer gives it back
				return r.UntilStatus(paymentID, payment.Canceled)
			})},
	}
}

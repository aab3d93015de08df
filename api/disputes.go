package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// GetDispute reads a dispute.
func (s *server) GetDispute(c echo.Context, disputeID DisputeID, _ GetDisputeParams) error {
	if !isDispute(disputeID) {
		return fault.NotFound("dispute")
	}
	about(c, disputeID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	d, err := s.Refunds.Dispute(ctx, who.Book, who.merchant, disputeID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, d.Public())
}

// ListDisputes lists disputes, the latest opened first.
func (s *server) ListDisputes(c echo.Context, p ListDisputesParams) error {
	who := callerOf(c)
	f := dispute.Filter{Book: who.Book, MerchantID: who.merchant, PaymentID: value(p.PaymentID), Status: value(p.Status),
		After: value(p.StartingAfter), Limit: defaultPage}
	if p.Limit != nil {
		f.Limit = *p.Limit
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Refunds.Disputes(ctx, f)
	if err != nil {
		return err
	}
	views := make([]Dispute, 0, len(list))
	for _, d := range list {
		views = append(views, d.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, DisputeList{Data: views, HasMore: more})
}

func isDispute(text string) bool { return id.Is(id.Dispute, text) }

func isDisputeStatus(text string) bool { return dispute.Status(text).Valid() }

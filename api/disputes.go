package api

import (
	"github.com/labstack/echo/v4"

	"paysaga/domain/dispute"
	"paysaga/domain/id"
)

// GetDispute reads a dispute.
func (s *server) GetDispute(c echo.Context, disputeID DisputeID, _ GetDisputeParams) error {
	return shown(s, c, id.Dispute, disputeID, "dispute", s.Refunds.Dispute, dispute.Dispute.Public)
}

// ListDisputes lists disputes, the latest opened first.
func (s *server) ListDisputes(c echo.Context, p ListDisputesParams) error {
	who := callerOf(c)
	f := dispute.Filter{Book: who.Book, MerchantID: who.merchant, PaymentID: value(p.PaymentID), Status: value(p.Status),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Refunds.Disputes, dispute.Dispute.Public)
}

func isDispute(text string) bool { return id.Is(id.Dispute, text) }

func isDisputeStatus(text string) bool { return dispute.Status(text).Valid() }

package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

// ResendNotification has one message told again that wasn't.
func (s *server) ResendNotification(c echo.Context, noticeID NotificationID, _ ResendNotificationParams) error {
	if !isNotice(noticeID) {
		return fault.NotFound("notification")
	}
	about(c, noticeID)
	body, err := readEmpty(c)
	if err != nil {
		return err
	}
	who := callerOf(c)
	if _, err := s.resend(c, notice.Resend{NoticeID: noticeID}, body); err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	row, err := s.Notices.Notice(ctx, who.Book, who.merchant, noticeID)
	if err != nil {
		return err
	}
	settings, err := s.Notices.NoticeSettings(ctx, who.Book, who.merchant)
	if err != nil {
		return err
	}
	title, text, err := s.Writer.Write(row, settings)
	if err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, mediaJSON, row.Public(title, text))
}

// ResendNotifications has told again what a filter chooses.
func (s *server) ResendNotifications(c echo.Context, _ ResendNotificationsParams) error {
	var r NotificationResendRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	chosen := notice.Resend{UserID: value(r.UserID), Media: value(r.Media), Types: value(r.Types), States: value(r.Statuses), From: value(r.From), To: value(r.To)}
	switch {
	case r.UserID != nil && !id.Is(id.User, *r.UserID):
		return fault.Invalid("id_invalid", "user_id", "this is not a user's id")
	case r.Statuses != nil && len(chosen.States) == 0:
		return fault.Invalid("status_invalid", "statuses", "leave statuses out, or name one")
	case r.Media != nil && len(chosen.Media) == 0:
		return fault.Invalid("medium_unknown", "media", "leave media out, or name one")
	case r.Types != nil && len(chosen.Types) == 0:
		return fault.Invalid("type_unknown", "types", "leave types out, or name one")
	}
	if err := chosen.Check(); err != nil {
		return err
	}
	if err := s.conforms("resendNotifications", body); err != nil {
		return err
	}
	done, err := s.resend(c, chosen, body)
	if err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, mediaJSON, NotificationResend{Count: done.Count, HasMore: done.Count == notice.MaxResend})
}

// resend commits what was asked for, once per key (I-20).
func (s *server) resend(c echo.Context, r notice.Resend, body []byte) (done notice.Resent, err error) {
	who := callerOf(c)
	r.Book, r.MerchantID, r.By = who.Book, who.merchant, who.by(c)
	if r.Idempotency, err = idempotency(c, who, body); err != nil {
		return done, err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	done, err = s.Notices.Resend(ctx, r)
	markReplayed(c, done.Replayed)
	return done, err
}

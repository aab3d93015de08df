package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
)

// Notices is what people are told, and the merchants' settings for it. What is another merchant's is fault.NotFound (I-25).
type Notices interface {
	Notices(ctx context.Context, f notice.Filter) (page []notice.Row, more bool, err error)
	NoticeSettings(ctx context.Context, book id.Book, merchantID string) (notice.Settings, error)
	PutNoticeSettings(ctx context.Context, s notice.Settings, by ledger.Principal) (notice.Settings, error)
	Notice(ctx context.Context, book id.Book, merchantID, noticeID string) (notice.Row, error)
	Resend(ctx context.Context, r notice.Resend) (notice.Resent, error)
}

// Writer writes messages out, as people read them.
type Writer interface {
	Write(r notice.Row, s notice.Settings) (title, text string, err error)
}

// ListNotifications lists what a merchant's people were told, or are to be.
func (s *server) ListNotifications(c echo.Context, p ListNotificationsParams) error {
	return s.listNotices(c, notice.Filter{UserID: value(p.UserID), State: value(p.Status), Medium: value(p.Medium), After: value(p.StartingAfter),
		Limit: pageSize(p.Limit)})
}

// ListUserNotifications lists what one person was told, or is to be.
func (s *server) ListUserNotifications(c echo.Context, userID UserID, p ListUserNotificationsParams) error {
	if !id.Is(id.User, userID) {
		return fault.NotFound("user")
	}
	about(c, userID)
	if err := callerOf(c).owns("user", userID); err != nil {
		return err
	}
	return s.listNotices(c, notice.Filter{UserID: userID, State: value(p.Status), Medium: value(p.Medium), After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
}

func (s *server) listNotices(c echo.Context, f notice.Filter) error {
	who := callerOf(c)
	f.Book, f.MerchantID = who.Book, who.merchant
	ctx, cancel := s.reading(c)
	defer cancel()
	settings, err := s.Notices.NoticeSettings(ctx, who.Book, who.merchant)
	if err != nil {
		return err
	}
	list, more, err := s.Notices.Notices(ctx, f)
	if err != nil {
		return err
	}
	page := NotificationList{Data: make([]Notification, len(list)), HasMore: more}
	for i, row := range list {
		title, text, err := s.Writer.Write(row, settings)
		if err != nil {
			return err
		}
		page.Data[i] = row.Public(title, text)
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// GetNotificationSettings reads a merchant's.
func (s *server) GetNotificationSettings(c echo.Context, _ GetNotificationSettingsParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	v, err := s.Notices.NoticeSettings(ctx, who.Book, who.merchant)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, v.Public())
}

// PutNotificationSettings replaces them.
func (s *server) PutNotificationSettings(c echo.Context, _ PutNotificationSettingsParams) error {
	var r NotificationSettingsRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	v := notice.Settings{Book: who.Book, MerchantID: who.merchant, Media: r.Media, Language: value(r.Language), Sender: value(r.Sender)}
	if r.Media == nil {
		return required("media", "name the media by which people are told; none is an empty list")
	}
	if r.Language == nil {
		v.Language = notice.Languages()[0]
	}
	if q := r.QuietHours; q != nil {
		v.Quiet = &notice.Quiet{From: q.From, To: q.To}
	}
	if !written(v.Sender, 60, "") {
		return fault.Invalid("sender_invalid", "sender", "a sender's name has at most 60 characters, and no control characters")
	}
	if err := v.Check(); err != nil {
		return err
	}
	if err := s.conforms("putNotificationSettings", body); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	if v, err = s.Notices.PutNoticeSettings(ctx, v, who.by(c)); err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, v.Public())
}

func isNotice(text string) bool       { return id.Is(id.Notice, text) }
func isNoticeState(text string) bool  { return notice.State(text).Valid() }
func isNoticeMedium(text string) bool { return notice.Medium(text).Valid() }

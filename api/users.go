package api

import (
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/rule"
	"paysaga/domain/user"
)

// CreateUser makes a user of a merchant.
func (s *server) CreateUser(c echo.Context, _ CreateUserParams) error {
	var r UserRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	change, err := changeOf(UserChangeRequest(r))
	if err == nil && r.Reference != nil && *r.Reference == "" {
		err = fault.Invalid("reference_invalid", "reference", "a reference is 1 to 64 visible ASCII characters")
	}
	if err == nil {
		err = s.conforms("createUser", body)
	}
	if err != nil {
		return err
	}
	who := callerOf(c)
	u := user.User{Book: who.Book, MerchantID: who.merchant, Status: user.Active}
	if err := change.Apply(&u); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	u, created, err := s.Users.CreateUser(ctx, u, who.by(c))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/v1/users/"+u.ID)
	if !created {
		return reply(c, http.StatusOK, mediaJSON, u.PublicTo(callerOf(c).Kind))
	}
	return reply(c, http.StatusCreated, mediaJSON, u.PublicTo(who.Kind))
}

// changeOf is what a request says of a user, judged.
func changeOf(r UserChangeRequest) (user.Change, error) {
	change := user.Change{Name: r.Name, Email: r.Email, Phone: r.Phone, Country: r.Country, PushTokens: r.PushTokens, Language: r.Language,
		Preferences: r.Preferences, Reference: r.Reference, ReferrerID: r.Referrer}
	if r.AutoWithdraw != nil {
		w, err := withdrawalOf(*r.AutoWithdraw)
		if err != nil {
			return change, err
		}
		change.Withdraw = &w
	}
	if err := change.Check(time.LoadLocation); err != nil {
		return change, err
	}
	if r.Metadata != nil {
		if err := checkMetadata(*r.Metadata); err != nil {
			return change, err
		}
		metadata := map[string]string(maps.Clone(*r.Metadata))
		change.Metadata = &metadata
	}
	return change, nil
}

// withdrawalOf is what a user wants to be paid out by itself.
func withdrawalOf(r AutoWithdraw) (user.Withdrawal, error) {
	w := user.Withdrawal{Off: value(r.Off), DestinationID: value(r.DestinationID)}
	if w.Off || w.DestinationID == "" {
		if r.Currency != nil || r.AtLeast != nil {
			return w, fault.Invalid("destination_invalid", "auto_withdraw.destination_id", "name the destination that it goes to")
		}
		return w, nil
	}
	currency, err := parseCurrency(value(r.Currency))
	if err != nil {
		return w, fault.Under("auto_withdraw", err)
	}
	from, err := money.ParsePositive(value(r.AtLeast), currency)
	w.Currency, w.AtLeast = currency, from.Minor
	return w, fault.Under("auto_withdraw.at_least", err)
}

// userRef is the user that a path names, if the caller may speak of them (I-25).
func userRef(c echo.Context, userID string) (user.Ref, error) {
	who := callerOf(c)
	ref := user.Ref{Book: who.Book, MerchantID: who.merchant, ID: userID}
	if !id.Is(id.User, userID) {
		return ref, fault.NotFound("user")
	}
	return ref, who.owns("user", userID)
}

// GetUser reads one.
func (s *server) GetUser(c echo.Context, userID UserID, _ GetUserParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	u, err := s.Users.User(ctx, ref)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, u.PublicTo(callerOf(c).Kind))
}

// ListUsers lists users, newest first.
func (s *server) ListUsers(c echo.Context, p ListUsersParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Users.Users(ctx, user.Filter{Book: who.Book, MerchantID: who.merchant, Status: value(p.Status), Reference: value(p.Reference),
		ReferrerID: value(p.Referrer), After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
	if err != nil {
		return err
	}
	page := UserList{Data: []User{}, HasMore: more}
	for _, u := range list {
		page.Data = append(page.Data, u.PublicTo(who.Kind))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// ChangeUser changes what is said of a user. What the merchant alone says is refused from a user.
func (s *server) ChangeUser(c echo.Context, userID UserID, _ ChangeUserParams) error {
	var r UserChangeRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	change, err := changeOf(r)
	if err == nil {
		err = s.conforms("changeUser", body)
	}
	if err != nil {
		return err
	}
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	who := callerOf(c)
	for name, said := range map[string]bool{"reference": r.Reference != nil, "referrer": r.Referrer != nil, "metadata": r.Metadata != nil} {
		if said && who.user != "" {
			return fault.Denied("field_forbidden", "the merchant alone says this").WithParam(name)
		}
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	u, err := s.Users.ChangeUser(ctx, ref, who.by(c), change)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, u.PublicTo(callerOf(c).Kind))
}

// FreezeUser keeps a user's wallets from moving.
func (s *server) FreezeUser(c echo.Context, userID UserID, _ FreezeUserParams) error {
	return s.actOnUser(c, userID, user.Freeze)
}

// UnfreezeUser lets them move again.
func (s *server) UnfreezeUser(c echo.Context, userID UserID, _ UnfreezeUserParams) error {
	return s.actOnUser(c, userID, user.Unfreeze)
}

// CloseUser ends a user whose wallets are empty, and who has nothing under way.
func (s *server) CloseUser(c echo.Context, userID UserID, _ CloseUserParams) error {
	return s.endUser(c, userID, user.Close)
}

// EraseUser ends a user and forgets what is personal.
func (s *server) EraseUser(c echo.Context, userID UserID, _ EraseUserParams) error {
	return s.endUser(c, userID, user.Erase)
}

func (s *server) actOnUser(c echo.Context, userID string, act user.Act) error {
	var r UserActRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	return s.doUser(c, userID, user.Doing{Act: act}, reasoned{r.Reason, body})
}

func (s *server) endUser(c echo.Context, userID string, act user.Act) error {
	var r UserEndRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	return s.doUser(c, userID, user.Doing{Act: act, GiveUpRebates: value(r.GiveUpRebates)}, reasoned{r.Reason, body})
}

// reasoned is a request that says why.
type reasoned struct {
	reason string
	body   []byte
}

func (s *server) doUser(c echo.Context, userID string, d user.Doing, why reasoned) error {
	if err := rule.CheckNote("reason", why.reason, true); err != nil {
		return err
	}
	if err := s.conforms(string(d.Act)+"User", why.body); err != nil {
		return err
	}
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	by := callerOf(c).by(c)
	by.Reason = why.reason
	ctx, cancel := s.durable(c)
	defer cancel()
	u, err := s.Users.DoUser(ctx, ref, by, d)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, u.PublicTo(callerOf(c).Kind))
}

func isUserStatus(text string) bool { return user.Status(text).Valid() }

func isUserReference(text string) bool { return visible(text, maxReference) }

// userValues judge the query parameters of lists of users.
var userValues = map[string]func(string) bool{"status": isUserStatus, "reference": isUserReference, "referrer": isUser}

package api_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payout"
	"paysaga/domain/user"
)

// people is what the fake knows of users.
type people struct {
	users   map[string]user.User
	wallets map[string][]user.Wallet
	logins  map[access.Login]login
	refresh map[string]access.Session
	kept    map[string]payout.Destination // user + "/" + id
}

type login struct{ user, hash string }

func newPeople() people {
	return people{users: map[string]user.User{}, wallets: map[string][]user.Wallet{}, logins: map[access.Login]login{}, refresh: map[string]access.Session{}, kept: map[string]payout.Destination{}}
}

func (m *memory) CreateUser(_ context.Context, u user.User, _ ledger.Principal) (user.User, bool, error) {
	unlock, err := m.lock("CreateUser")
	defer unlock()
	for _, other := range m.people.users {
		if u.Reference != "" && other.Reference == u.Reference && other.MerchantID == u.MerchantID {
			return other, false, err
		}
	}
	u.ID, u.Sequence = mint(id.User), 1
	if err == nil {
		m.people.users[u.ID] = u
	}
	return u, true, err
}

func (m *memory) user(ref user.Ref) (user.User, error) {
	u, ok := m.people.users[ref.ID]
	if !ok || u.Book != ref.Book || ref.MerchantID != "" && u.MerchantID != ref.MerchantID {
		return user.User{}, fault.NotFound("user")
	}
	return u, nil
}

func (m *memory) User(_ context.Context, ref user.Ref) (user.User, error) {
	unlock, err := m.lock("User")
	defer unlock()
	if err != nil {
		return user.User{}, err
	}
	return m.user(ref)
}

func (m *memory) Users(_ context.Context, f user.Filter) (page []user.User, more bool, err error) {
	unlock, err := m.lock("Users")
	defer unlock()
	for _, u := range m.people.users {
		if u.Book == f.Book && (f.MerchantID == "" || u.MerchantID == f.MerchantID) && (f.Status == "" || u.Status == f.Status) {
			page = append(page, u)
		}
	}
	slices.SortFunc(page, func(a, b user.User) int { return -compare(a.ID, b.ID) })
	return page, false, err
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func (m *memory) ChangeUser(_ context.Context, ref user.Ref, _ ledger.Principal, c user.Change) (user.User, error) {
	unlock, err := m.lock("ChangeUser")
	defer unlock()
	if err != nil {
		return user.User{}, err
	}
	u, err := m.user(ref)
	if err == nil {
		err = c.Apply(&u)
	}
	if err == nil {
		u.Sequence++
		m.people.users[u.ID] = u
	}
	return u, err
}

func (m *memory) DoUser(_ context.Context, ref user.Ref, by ledger.Principal, d user.Doing) (user.User, error) {
	unlock, err := m.lock("DoUser")
	defer unlock()
	if err != nil {
		return user.User{}, err
	}
	u, err := m.user(ref)
	if err == nil {
		var moved bool
		before := u.Freezes
		if moved, err = u.Do(d.Act, by.Kind); moved && d.Act == user.Freeze {
			u.Freezes = append(slices.Clone(before), user.Hold{By: by.Kind, Actor: by.ID, Reason: by.Reason, At: time.Now()})
		}
	}
	if err == nil {
		m.people.users[u.ID] = u
	}
	return u, err
}

func (m *memory) Wallets(_ context.Context, ref user.Ref) ([]user.Wallet, error) {
	unlock, err := m.lock("Wallets")
	defer unlock()
	if err == nil {
		_, err = m.user(ref)
	}
	return m.people.wallets[ref.ID], err
}

func (m *memory) Register(ctx context.Context, u user.User, name access.Login, password string) (user.User, error) {
	u, _, err := m.CreateUser(ctx, u, ledger.Principal{})
	unlock, _ := m.lock("")
	defer unlock()
	if _, taken := m.people.logins[name]; taken {
		return u, fault.Conflict("login_taken", "somebody has this login already").WithParam("login")
	}
	m.people.logins[name] = login{u.ID, password}
	return u, err
}

func (m *memory) SetCredentials(_ context.Context, ref user.Ref, name access.Login, password string) error {
	unlock, err := m.lock("SetCredentials")
	defer unlock()
	if err == nil {
		_, err = m.user(ref)
	}
	if err == nil {
		m.people.logins[name] = login{ref.ID, password}
	}
	return err
}

func (m *memory) ChangePassword(_ context.Context, session access.Session, fresh string, right func(string) bool) error {
	unlock, err := m.lock("ChangePassword")
	defer unlock()
	for name, l := range m.people.logins {
		if l.user == session.UserID && right(l.hash) {
			m.people.logins[name] = login{l.user, fresh}
			return err
		}
	}
	return fault.Denied("login_failed", "login or password is wrong")
}

func (m *memory) LogIn(ctx context.Context, book id.Book, merchantID string, name access.Login, right func(string) bool) (access.Grant, error) {
	unlock, err := m.lock("LogIn")
	l := m.people.logins[name]
	unlock()
	if err == nil && !right(l.hash) {
		err = fault.Denied("login_failed", "login or password is wrong")
	}
	if err != nil {
		return access.Grant{}, err
	}
	return m.OpenSession(ctx, access.Session{Book: book, MerchantID: merchantID, UserID: l.user})
}

func (m *memory) OpenSession(_ context.Context, session access.Session) (access.Grant, error) {
	unlock, err := m.lock("OpenSession")
	defer unlock()
	session.ID = mint(id.Session)
	m.sessions[session.ID] = session
	token := "rt_test_" + session.ID
	m.people.refresh[token] = session
	return access.Grant{Session: session, Refresh: token}, err
}

func (m *memory) Refresh(ctx context.Context, token string) (access.Grant, error) {
	unlock, err := m.lock("Refresh")
	session, ok := m.people.refresh[token]
	delete(m.people.refresh, token)
	unlock()
	if err == nil && !ok {
		err = fault.Denied("refresh_invalid", "the refresh token is invalid, or its session has ended; log in again")
	}
	if err != nil {
		return access.Grant{}, err
	}
	return m.OpenSession(ctx, session)
}

func (m *memory) LogOut(_ context.Context, token string) error {
	unlock, err := m.lock("LogOut")
	defer unlock()
	delete(m.sessions, m.people.refresh[token].ID)
	delete(m.people.refresh, token)
	return err
}

func (m *memory) AddDestination(_ context.Context, ref user.Ref, to payout.Destination, _ ledger.Principal) (user.Destination, error) {
	unlock, err := m.lock("AddDestination")
	defer unlock()
	if err == nil {
		_, err = m.user(ref)
	}
	d := user.Destination{ID: mint(id.Destination), To: to.Masked()}
	if err == nil {
		m.people.kept[ref.ID+"/"+d.ID] = to
	}
	return d, err
}

func (m *memory) Destinations(_ context.Context, ref user.Ref) (list []user.Destination, err error) {
	unlock, err := m.lock("Destinations")
	defer unlock()
	if err == nil {
		_, err = m.user(ref)
	}
	for key, to := range m.people.kept {
		if of, destinationID, _ := strings.Cut(key, "/"); of == ref.ID {
			list = append(list, user.Destination{ID: destinationID, To: to.Masked()})
		}
	}
	return list, err
}

func (m *memory) Destination(_ context.Context, ref user.Ref, destinationID string) (payout.Destination, error) {
	unlock, err := m.lock("Destination")
	defer unlock()
	to, ok := m.people.kept[ref.ID+"/"+destinationID]
	if err == nil && !ok {
		err = fault.NotFound("destination")
	}
	return to, err
}

func (m *memory) RemoveDestination(_ context.Context, ref user.Ref, destinationID string, _ ledger.Principal) error {
	unlock, err := m.lock("RemoveDestination")
	defer unlock()
	if _, ok := m.people.kept[ref.ID+"/"+destinationID]; err == nil && !ok {
		err = fault.NotFound("destination")
	}
	delete(m.people.kept, ref.ID+"/"+destinationID)
	return err
}

func (m *memory) RebateTotals(_ context.Context, ref user.Ref) ([]accrual.Totals, error) {
	unlock, err := m.lock("RebateTotals")
	defer unlock()
	if err == nil {
		_, err = m.user(ref)
	}
	return nil, err
}

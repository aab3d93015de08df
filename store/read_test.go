package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

func TestListsPageAndFilter(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	var ids []string
	for i := range 7 {
		ids = append(ids, h.pay(string(rune('A'+i)), cny(100)))
	}
	h.commit(h.open(ids[3], 1))
	h.commit(h.settle(ids[3], 1, h.succeeded(ids[3])))
	list := func(f payment.Filter) (got []string, more bool) {
		f.Book = h.Book
		if f.MerchantID == "" {
			f.MerchantID = h.MerchantID
		}
		page, more, err := h.s.Payments(t.Context(), f)
		require.NoError(t, err)
		for _, p := range page {
			got = append(got, p.ID)
		}
		return got, more
	}
	first, more := list(payment.Filter{Limit: 4})
	require.True(t, more)
	rest, more := list(payment.Filter{Limit: 4, After: first[3]})
	require.False(t, more)
	all := append(first, rest...)
	require.Len(t, all, 7)
	for i := range 6 {
		require.Greater(t, all[i], all[i+1], "newest first")
	}
	got, _ := list(payment.Filter{Limit: 10, Status: payment.Paid})
	require.Equal(t, []string{ids[3]}, got)
	got, _ = list(payment.Filter{Limit: 10, OrderID: h.dossier(ids[5]).Payment.OrderID})
	require.Equal(t, []string{ids[5]}, got)
	got, _ = list(payment.Filter{Limit: 10, Channel: "none"})
	require.Empty(t, got)
	at := h.dossier(ids[3]).Payment.CreatedAt
	got, _ = list(payment.Filter{Limit: 10, CreatedFrom: at, CreatedBefore: at.Add(time.Microsecond)})
	require.Equal(t, []string{ids[3]}, got)
	got, _ = list(payment.Filter{Limit: 10, MerchantID: h.s.Mint(id.Merchant)})
	require.Empty(t, got, "I-25")
}

func TestAnotherMerchantSeesNothing(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	order := h.dossier(p).Payment.OrderID
	stranger := storetest.Plant(t, h.s, id.Test).MerchantID
	_, err := h.s.Payment(t.Context(), h.Book, stranger, p)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25")
	_, _, err = h.s.Order(t.Context(), h.Book, stranger, order)
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
	_, err = h.s.Timeline(t.Context(), h.Book, stranger, p)
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
	for _, hostile := range []string{"", "'", "pay_\x00", "ä"} {
		_, err = h.s.Payment(t.Context(), h.Book, stranger, hostile)
		require.Contains(t, []fault.Kind{fault.KindNotFound, fault.KindInvalid}, fault.Of(err), "%q", hostile)
	}
	_, err = h.s.Payment(t.Context(), h.Book, "", p)
	require.NoError(t, err, "an operator sees the book")
}

func TestAnIntentComesBackAsItWasFrozen(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	step := h.open(p, 1)
	h.commit(step)
	want := step.Changes[0].(payment.Intend).Attempt
	in, err := h.s.Intent(t.Context(), h.Book, want.Key)
	require.NoError(t, err)
	require.Equal(t, want.RequestHash, in.Key.BodyHash)
	require.Equal(t, want.Reference, in.Key.Reference)
	require.Equal(t, want.BornAt.UTC().Truncate(time.Microsecond), in.Key.BornAt)
	require.Equal(t, "tok_ok", in.Request.Method.Token)
	require.Equal(t, map[string]string{"secret": "sandbox"}, in.Account.Credentials)
	require.Equal(t, h.Book, in.Account.Book)
	for _, key := range []string{id.Key(p, id.Step{Code: id.Charge, Ordinal: 2}), id.Key(p, id.Step{Code: id.CaptureOut, Ordinal: 1})} {
		_, err = h.s.Intent(t.Context(), h.Book, key)
		require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-13")
	}
	_, err = h.s.Intent(t.Context(), h.Book, "nonsense")
	require.Equal(t, fault.KindInvalid, fault.Of(err))
}

func TestChannelAccountsAreTheMerchantsAndThePlatforms(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	add := func(a store.ChannelAccount) string {
		a.Channel = "sandbox"
		got, err := h.s.AddChannelAccount(t.Context(), a)
		require.NoError(t, err)
		return got
	}
	own := add(store.ChannelAccount{Book: h.Book, MerchantID: h.MerchantID, Priority: 900, Lane: payment.Express, Currencies: []string{"CNY"}})
	add(store.ChannelAccount{Book: h.Book, MerchantID: storetest.Plant(t, h.s, h.Book).MerchantID})
	add(store.ChannelAccount{Book: id.Live})
	open, err := h.s.OpenAccounts(t.Context(), h.Book, h.MerchantID)
	require.NoError(t, err)
	require.Len(t, open, 3, "its own, and the platform's two of the seeds")
	require.Equal(t, channels.OpenAccount{ID: own, Channel: "sandbox", Lane: payment.Express, Priority: 900, Currencies: []string{"CNY"}, Standing: channels.Active}, open[0])

	a, err := h.s.Account(t.Context(), "sandbox", h.ChannelAccount)
	require.NoError(t, err)
	require.Equal(t, "sandbox", a.Credentials["secret"])
	require.Equal(t, h.Book, a.Book)
	_, err = h.s.Account(t.Context(), "stripe", h.ChannelAccount)
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
	_, err = h.s.AddChannelAccount(t.Context(), store.ChannelAccount{Book: h.Book, Channel: "x", StatementZone: "Mars/Olympus"})
	require.True(t, fault.Is(err, fault.KindInvalid, "time_zone_unknown"))
}

func TestKeysAuthenticateUntilRevoked(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	child, err := h.s.CreateMerchant(t.Context(), store.Merchant{Book: h.Book, ParentID: h.MerchantID, Name: "Child"})
	require.NoError(t, err)
	p, err := h.s.Authenticate(t.Context(), h.Token)
	require.NoError(t, err)
	require.Equal(t, access.Principal{Kind: ledger.ByMerchant, ID: h.KeyID, Book: h.Book, MerchantID: h.MerchantID,
		Children: []string{child}, Scopes: access.MerchantScopes}, p)
	require.Regexp(t, `^sk_test_[0-9A-Za-z]{43}$`, h.Token)
	var stored int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM api_keys WHERE api_keys::text LIKE '%' || $1 || '%'`, h.Token).Scan(&stored))
	require.Zero(t, stored, "only the hash is kept")

	for _, bad := range []string{"", "sk_test_", h.Token + "x", "sk_live_" + h.Token[8:], "Bearer " + h.Token} {
		_, err = h.s.Authenticate(t.Context(), bad)
		require.True(t, fault.Is(err, fault.KindDenied, "key_unknown"), "%q", bad)
	}
	require.NoError(t, h.s.RevokeKey(t.Context(), h.Book, h.KeyID))
	require.NoError(t, h.s.RevokeKey(t.Context(), h.Book, h.KeyID))
	_, err = h.s.Authenticate(t.Context(), h.Token)
	require.True(t, fault.Is(err, fault.KindDenied, "key_unknown"), "in this process at once")
	require.True(t, fault.Is(h.s.RevokeKey(t.Context(), h.Book, h.s.Mint(id.APIKey)), fault.KindNotFound, ""))
	_, _, err = h.s.CreateKey(t.Context(), store.KeyGrant{Book: h.Book})
	require.True(t, fault.Is(err, fault.KindInvalid, "key_without_principal"))
}

func TestOperatorsSignUntilRevoked(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	opr, private, err := h.s.CreateOperator(t.Context(), "Grace")
	require.NoError(t, err)
	_, token, err := h.s.CreateKey(t.Context(), store.KeyGrant{Book: h.Book, OperatorID: opr})
	require.NoError(t, err)
	p, err := h.s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, ledger.ByOperator, p.Kind)
	require.Equal(t, opr, p.ID)
	require.Empty(t, p.MerchantID)
	require.True(t, p.May(access.CasesResolve))

	d := access.Decision{Operator: opr, BusinessID: "pay_1", Decision: "accept", Reason: "seen", SignedAt: time.Now()}
	code, err := d.Sign(private)
	require.NoError(t, err)
	o, err := h.s.Operator(t.Context(), opr)
	require.NoError(t, err)
	require.NoError(t, o.Verify(code, d, time.Now()))
	require.NoError(t, h.s.RevokeOperator(t.Context(), opr))
	o, err = h.s.Operator(t.Context(), opr)
	require.NoError(t, err)
	require.Error(t, o.Verify(code, d, time.Now()))
	_, err = h.s.Authenticate(t.Context(), token)
	require.True(t, fault.Is(err, fault.KindDenied, "key_unknown"))
	_, err = h.s.Operator(t.Context(), h.s.Mint(id.Operator))
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
}

func TestMerchantsHaveTermsPerBook(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	terms := payment.Terms{FeeBasisPoints: 60, FeeFixed: map[money.Currency]int64{"CNY": 10}, FeeOnRefund: "keep", SettlementDays: 1,
		DebtLimit: 1000, Zone: shanghai, DayCut: 4 * time.Hour}
	mer, err := s.CreateMerchant(t.Context(), store.Merchant{Book: id.Live, Name: "Tea", Terms: terms})
	require.NoError(t, err)
	_, err = s.CreateMerchant(t.Context(), store.Merchant{Book: id.Test, ID: mer, Name: "Tea"})
	require.NoError(t, err)
	_, err = s.CreateMerchant(t.Context(), store.Merchant{Book: id.Test, ID: mer, Name: "Tea"})
	require.True(t, fault.Is(err, fault.KindConflict, "id_exists"))
	got, err := s.Merchant(t.Context(), id.Live, mer)
	require.NoError(t, err)
	terms.MerchantID = mer
	require.Equal(t, store.Merchant{Book: id.Live, ID: mer, Name: "Tea", Terms: terms}, got)
	list, err := s.Merchants(t.Context(), id.Test)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Zero(t, list[0].Terms.FeeBasisPoints)
	_, err = s.Merchant(t.Context(), id.Shadow, mer)
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
}

func TestCallLinesAreAppended(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	key := id.Key(p, id.Step{Code: id.Charge, Ordinal: 1})
	require.NoError(t, h.s.AppendCalls(t.Context(), nil))
	require.NoError(t, h.s.AppendCalls(t.Context(), []channels.CallLine{
		{Book: h.Book, BusinessID: p, Key: key, Channel: "sandbox", ChannelAccount: h.ChannelAccount, Operation: channels.OpCharge, StartedAt: time.Now(),
			Duration: 12 * time.Millisecond, Verdict: payment.Unknown},
		{Book: h.Book, BusinessID: p, Key: key, Channel: "sandbox", ChannelAccount: h.ChannelAccount, Operation: channels.OpAsk, StartedAt: time.Now(),
			Duration: time.Millisecond, Fault: "unavailable channel_down"}}))
	line, err := h.s.Timeline(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	var texts []string
	for _, o := range line {
		if o.Kind == "channel_call" {
			texts = append(texts, o.Text)
		}
	}
	require.Equal(t, []string{"charge at sandbox: unknown", "ask at sandbox: unavailable channel_down"}, texts)
}

func TestABookMayHaveADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	home, own := storetest.Open(t), storetest.Open(t)
	c := home.Config
	c.URLs = map[id.Book]string{id.Live: own.Config.URL}
	s, err := store.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	for book, db := range map[id.Book]*storetest.Database{id.Live: own, id.Test: home} {
		h := &shop{t, s, db, storetest.Plant(t, s, book)}
		p := h.paid("A-1", cny(100))
		require.Equal(t, 1, h.count("payments", p), book)
		a, err := s.Account(t.Context(), "sandbox", h.ChannelAccount)
		require.NoError(t, err)
		require.Equal(t, book, a.Book)
		principal, err := s.Authenticate(t.Context(), h.Token)
		require.NoError(t, err)
		require.Equal(t, book, principal.Book)
	}
	var events int
	for n := 1; n > 0; {
		_, n, err = s.ClaimEvents(t.Context(), 100, time.Minute)
		require.NoError(t, err)
		events += n
	}
	require.Equal(t, 8, events, "relays serve every database")
	require.NoError(t, s.Health(t.Context()))
}

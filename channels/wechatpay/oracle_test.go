package wechatpay

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/oracletest"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// messages is how many random ones go each way.
const messages = 1000

type question map[string]string

type verdict struct {
	Signature     string
	Authorization string
	Text          string
	OK            bool
}

// text makes a random text in which everything occurs that could be signed or encrypted wrongly.
func text(r *rand.Rand) string {
	alphabet := []rune("aZ09 \n\r\t\"\\{}:,`茶订单é😀\u2028\x00")
	out := make([]rune, r.IntN(200))
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

func opens(t *testing.T, s *fake.Server) session {
	t.Helper()
	account := channels.Account{ID: "cha_1", Book: id.Test, BaseURL: "http://127.0.0.1:1", Credentials: s.Credentials()}
	session, err := New(wire.New(wire.Config{})).session(account, s.Now())
	require.NoError(t, err)
	return session
}

// What we sign the independent client would have signed the same, and what it signs we believe; one changed byte and
// neither does.
func TestSignaturesAgreeWithAnIndependentClient(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	s := fake.New(t, fake.Config{Mode: fake.PublicKeys})
	a, random := opens(t, s), rand.New(rand.NewPCG(7, 7))
	private := s.Credentials()[PrivateKey]
	public := fake.PublicPEM(&a.key.PublicKey)
	var ask []question
	var want []verdict
	for n := range messages {
		body, nonce, stamp := text(random), strconv.Itoa(n), strconv.FormatInt(s.Now().Unix(), 10)
		uri := fmt.Sprintf("/v3/pay/%d?mchid=%d&x=%%E8%%8C%%B6", n, random.IntN(1000))
		ours, err := sign(a.key, message("POST", uri, stamp, nonce, body))
		require.NoError(t, err)
		ask = append(ask, question{"kind": "sign", "key": private, "method": "POST", "uri": uri, "stamp": stamp, "nonce": nonce, "body": body, "mchid": a.mchID, "serial": a.serial})
		want = append(want, verdict{Signature: ours})
		signed, err := sign(a.key, message(stamp, nonce, body))
		require.NoError(t, err)
		good := n%2 == 0
		if !good {
			body += "x"
		}
		ask = append(ask, question{"kind": "verify", "key": public, "stamp": stamp, "nonce": nonce, "body": body, "signature": signed})
		want = append(want, verdict{OK: good})
		ask = append(ask, question{"kind": "answer", "key": private, "stamp": stamp, "nonce": nonce, "body": body})
		want = append(want, verdict{})
	}
	for i, got := range oracletest.Run[question, verdict](t, o, "judge.mjs", ask) {
		q := ask[i]
		switch q["kind"] {
		case "sign":
			require.Equal(t, want[i].Signature, got.Signature, "message %d", i)
		case "verify":
			require.Equal(t, want[i].OK, got.OK, "message %d", i)
		default: // theirs, which we verify
			require.True(t, verify(&a.key.PublicKey, message(q["stamp"], q["nonce"], q["body"]), got.Signature), "message %d", i)
			require.False(t, verify(&a.key.PublicKey, message(q["stamp"], q["nonce"], q["body"]+" "), got.Signature), "message %d", i)
		}
	}
}

// What either side encrypts the other decrypts.
func TestEncryptionAgreesWithAnIndependentClient(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	s := fake.New(t, fake.Config{Mode: fake.PublicKeys})
	a, random := opens(t, s), rand.New(rand.NewPCG(8, 8))
	key := s.Credentials()[APIv3Key]
	public, private := fake.PublicPEM(&a.key.PublicKey), s.Credentials()[PrivateKey]
	var ask []question
	var plains []string
	for n := range messages {
		plain, nonce, aad := text(random), fmt.Sprintf("%012d", n), []string{"", "transaction", "证书"}[n%3]
		fakes := s.Encrypt([]byte(plain), aad)
		ask = append(ask, question{"kind": "encrypt", "key": key, "nonce": nonce, "aad": aad, "plain": plain},
			question{"kind": "decrypt", "key": key, "nonce": fakes["nonce"], "aad": aad, "text": fakes["ciphertext"]})
		plains = append(plains, plain, plain)
		if n%10 == 0 {
			name := string([]rune("张三 Zoë")[:1+n%5])
			hidden, err := conceal(&a.key.PublicKey, name)
			require.NoError(t, err)
			ask = append(ask, question{"kind": "reveal", "key": private, "text": hidden}, question{"kind": "conceal", "key": public, "plain": name})
			plains = append(plains, name, "")
		}
	}
	for i, got := range oracletest.Run[question, verdict](t, o, "judge.mjs", ask) {
		switch q := ask[i]; q["kind"] {
		case "encrypt":
			plain, ok := secret{aeadAES256GCM, got.Text, q["nonce"], q["aad"]}.open(a.apiKey)
			require.True(t, ok, "message %d", i)
			require.Equal(t, plains[i], string(plain))
			_, ok = secret{aeadAES256GCM, got.Text, q["nonce"], q["aad"] + "x"}.open(a.apiKey)
			require.False(t, ok, "message %d", i)
		case "conceal":
			require.NotEmpty(t, got.Text)
		default:
			require.Equal(t, plains[i], got.Text, "message %d", i)
		}
	}
}

type castBill struct {
	Hash    bool
	Rows    []map[string]string
	Summary map[string]string
}

// A thousand random rows are read as the independent client reads them.
func TestBillsAgreeWithAnIndependentClient(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	s := fake.New(t, fake.Config{NoSpacing: true})
	h := httptest.NewServer(s)
	defer h.Close()
	a, random := opens(t, s), rand.New(rand.NewPCG(9, 9))
	a.base, a.certs = h.URL, &certificates{}
	day := s.Now().In(fake.Beijing)
	for n := range 350 { // each with its fee, and a refund with its fee: some thousand rows in both bills
		number := fmt.Sprintf("random%06d", n)
		total := 1 + random.Int64N(1_000_000)
		description := strings.NewReplacer("`", "'", "\n", " ", "\r", " ", "\x00", " ", "\u2028", " ").Replace("x" + text(random))
		require.True(t, s.Take(number, total, string([]rune(description)[:min(len([]rune(description)), 100)])))
		require.True(t, s.Give(number, "back"+number, 1+random.Int64N(total)))
	}
	ch := New(a.wire)
	for kind, text := range map[string][]byte{Trade: s.TradeBillOf(day), FundFlow: s.FundFlowBillOf(day)} {
		theirs := oracletest.Run[question, castBill](t, o, "judge.mjs", []question{{"kind": "bill", "text": base64.StdEncoding.EncodeToString(text)}})[0]
		n := 0
		_, err := ch.ReadStatement(reconcile.File{Name: "b", Kind: kind}, bytes.NewReader(text), func(l *reconcile.Line) error {
			agree(t, kind, theirs.Rows[n], l)
			n++
			return nil
		})
		require.NoError(t, err)
		require.Len(t, theirs.Rows, n)
		require.Greater(t, n, 600)
	}
}

// agree compares a line with the cells that the other parser found for it.
func agree(t *testing.T, kind string, row map[string]string, l *reconcile.Line) {
	t.Helper()
	yuan := func(minor int64) string { return money.New(minor, "CNY").Decimal() }
	if kind == FundFlow {
		net := yuan(l.Net)
		if l.Net < 0 {
			net = yuan(-l.Net)
		}
		require.Equal(t, []string{row["收支金额(元)"], row["微信支付业务单号"], row["记账时间"], row["业务名称"] + "/" + row["业务类型"]},
			[]string{net, l.ChannelID, l.OccurredAt.Format(time.DateTime), l.Detail})
		require.Equal(t, row["收支类型"] == "收入", l.Net > 0)
		return
	}
	if row["交易状态"] == "SUCCESS" {
		require.Equal(t, []string{row["订单金额"], row["手续费"], row["商户订单号"], row["微信订单号"], row["交易时间"]},
			[]string{yuan(l.Gross), yuan(l.Fee) + "000", l.Reference, l.ChannelID, l.OccurredAt.Format(time.DateTime)})
		return
	}
	require.Equal(t, []string{"-" + row["申请退款金额"], row["商户退款单号"], row["微信退款单号"], row["微信订单号"]},
		[]string{yuan(l.Gross), l.Reference, l.ChannelID, l.OriginalID})
}

// The independent client makes the whole tour against the fake, with its own signatures and its own verification: the
// fake speaks the protocol, not merely our reading of it.
func TestAnIndependentClientMakesTheTour(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	for name, mode := range map[string]fake.Mode{"public key": fake.PublicKeys, "certificates": fake.Certificates} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fake.New(t, fake.Config{Mode: mode})
			s.Advance(-36 * time.Hour)
			require.True(t, s.Take("yesterday1", 500, "茶"))
			require.True(t, s.Give("yesterday1", "yesterdayback1", 400))
			day := s.Now().In(fake.Beijing).Format(time.DateOnly)
			s.Advance(36 * time.Hour)
			c := s.Credentials()
			got := oracletest.Run[map[string]any, toured](t, o, "tour.mjs", []map[string]any{{"base": serve(t, s), "mchid": c[MchID],
				"appid": c[AppID], "serial": c[SerialNo], "privateKey": c[PrivateKey], "certs": s.Verifiers(), "apiKey": c[APIv3Key], "day": day}})[0]
			got.check(t)
		})
	}
}

// serve adds what the customer does.
func serve(t *testing.T, s *fake.Server) string {
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("GET /customer/pay", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(s.Pay(r.URL.Query().Get("n")))
	})
	mux.HandleFunc("GET /customer/callback", func(w http.ResponseWriter, r *http.Request) {
		header, body := s.Told(r.URL.Query().Get("n"))
		flat := map[string]string{}
		for name := range header {
			flat[strings.ToLower(name)] = header.Get(name)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"header": flat, "body": string(body)})
	})
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h.URL
}

// toured is what the client saw.
type toured struct {
	Code, Again, Open, Reused, PaidAgain, ClosePaid, Absent, RefundAgain, TooSoon, State string
	Paid, Told                                                                           transaction
	Refund, RefundAsked                                                                  refunded
	Closed                                                                               int
	ToldBy                                                                               bool
	TradeBill, FundFlowBill                                                              castBill
}

func (g toured) check(t *testing.T) {
	assert.NotEmpty(t, g.Code)
	assert.Equal(t, g.Code, g.Again)
	assert.Equal(t, "NOTPAY", g.Open)
	assert.Equal(t, "INVALID_REQUEST", g.Reused)
	assert.Equal(t, []any{"SUCCESS", int64(1234), "tour000001"}, []any{g.Paid.State, g.Paid.Amount.Total, g.Paid.OutTradeNo})
	assert.Equal(t, []string{"ORDERPAID", "ORDER_PAID", "ORDER_NOT_EXIST", "FREQUENCY_LIMITED"}, []string{g.PaidAgain, g.ClosePaid, g.Absent, g.TooSoon})
	assert.Equal(t, g.Refund.RefundID, g.RefundAgain)
	assert.Equal(t, []any{"SUCCESS", int64(234)}, []any{g.RefundAsked.Status, g.RefundAsked.Amount.Refund})
	assert.Equal(t, http.StatusNoContent, g.Closed)
	assert.Equal(t, "CLOSED", g.State)
	assert.True(t, g.ToldBy, "the callback's signature")
	assert.Equal(t, g.Paid.TransactionID, g.Told.TransactionID)
	assert.True(t, g.TradeBill.Hash)
	assert.True(t, g.FundFlowBill.Hash)
	assert.Len(t, g.TradeBill.Rows, 2)
	assert.Equal(t, "2.0", g.TradeBill.Summary["总交易单数"])
	assert.Len(t, g.FundFlowBill.Rows, 4)
}

package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

const transfersPath = "/v3/fund-app/mch-transfer/transfer-bills"

// namedFrom is the amount from which WeChat wants to know the payee's name: 2,000 yuan.
const namedFrom = 2000_00

type transferOrder struct {
	AppID     string   `json:"appid"`
	OutBillNo string   `json:"out_bill_no"`
	Scene     string   `json:"transfer_scene_id"`
	OpenID    string   `json:"openid"`
	UserName  string   `json:"user_name,omitempty"` // encrypted
	Amount    int64    `json:"transfer_amount"`
	Remark    string   `json:"transfer_remark"`
	NotifyURL string   `json:"notify_url,omitempty"`
	Reports   []report `json:"transfer_scene_report_infos,omitempty"`
}

// transfer is a transfer bill as answers and callbacks show it.
type transfer struct {
	OutBillNo  string `json:"out_bill_no"`
	BillNo     string `json:"transfer_bill_no"`
	State      string `json:"state"`
	Amount     int64  `json:"transfer_amount"`
	FailReason string `json:"fail_reason"`
	UpdateTime string `json:"update_time"`
	Package    string `json:"package_info"` // the create answer alone has it
}

// Payout sends money to a WeChat user, who has to confirm it: until then it is Pending, with what the user's app is
// started with as its action. Only this answer has that, and each time it is made again under its number.
func (ch *Channel) Payout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	body, err := s.transfer(c.Key, r)
	if err == nil && r.AmountMinor >= namedFrom {
		body.UserName, s.concealed, err = s.conceal(ctx, r.Name)
	}
	if err != nil {
		return payment.Outcome{}, err
	}
	res, err := s.call(ctx, http.MethodPost, transfersPath, body)
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status >= 400 {
		return s.noTransfer(ctx, c.Key, r, res)
	}
	t, err := readTransfer(res, c.Key)
	if err != nil {
		return payment.Outcome{}, err
	}
	out, err := s.transferred(t)
	if err == nil && out.Verdict == payment.Succeeded { // this answer doesn't say how much
		return s.askTransfer(ctx, c.Key)
	}
	return out, err
}

func (s session) transfer(key channels.Key, r channels.PayoutRequest) (transferOrder, error) {
	kind, openID, _ := strings.Cut(r.Destination, ":")
	switch {
	case r.Currency != currency || r.AmountMinor <= 0:
		return transferOrder{}, fault.Invalid("currency_unsupported", "currency", "WeChat Pay transfers yuan, one fen at least")
	case kind != "wallet" || openID == "":
		return transferOrder{}, fault.Invalid("destination_unsupported", "destination.type", "WeChat Pay transfers to a wallet: the user's openid")
	case s.scene == "":
		return transferOrder{}, fault.Invalid("payout_unavailable", "", "the channel account has no transfer_scene_id")
	case r.AmountMinor >= namedFrom && r.Name == "":
		return transferOrder{}, fault.Invalid("name_required", "destination.name", "WeChat Pay wants the payee's name from 2,000 yuan on")
	}
	remark := []rune(describe(r.Note, key))
	return transferOrder{AppID: s.appID, OutBillNo: key.Reference, Scene: s.scene, OpenID: openID, Amount: r.AmountMinor,
		Remark: string(remark[:min(len(remark), 32)]), NotifyURL: r.CallbackURL, Reports: s.reports}, nil
}

// conceal encrypts a name for WeChat, and says with which key. Each time it looks otherwise; WeChat compares what is in it.
func (s session) conceal(ctx context.Context, name string) (text, serial string, err error) {
	key, serial := s.public, s.publicID
	if key == nil {
		if key, serial, err = s.certs.newest(ctx, s); err != nil {
			return "", "", err
		}
	}
	if text, err = conceal(key, name); err != nil {
		return "", "", fault.Invalid("name_too_long", "destination.name", "WeChat Pay can't take a name of this length")
	}
	return text, serial, nil
}

// AskPayout reads what became of a transfer. WeChat shows those of the last 30 days. What its payee needs to confirm it is
// in the answer to its making alone; as long as none was kept, a transfer that waits for them is made once more under its
// number, which by WeChat's word is the same one and tells it again.
func (ch *Channel) AskPayout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	t, found, err := s.find(ctx, c.Key)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !found:
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	if t.State == waitsForPayee && c.ChannelID == "" {
		if again, err := ch.Payout(ctx, c, r); err == nil && again.ChannelID == t.BillNo {
			return again, nil
		}
	}
	return s.transferred(t)
}

// waitsForPayee: the user has to confirm the receipt in their app.
const waitsForPayee = "WAIT_USER_CONFIRM"

// shownFor is how far back WeChat answers questions about transfers: after it, that there is none proves nothing.
const shownFor = 30 * 24 * time.Hour

func (s session) askTransfer(ctx context.Context, key channels.Key) (payment.Outcome, error) {
	t, found, err := s.find(ctx, key)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !found:
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return s.transferred(t)
}

// find reports whether WeChat has a transfer of the number.
func (s session) find(ctx context.Context, key channels.Key) (t transfer, found bool, err error) {
	res, err := s.call(ctx, http.MethodGet, transfersPath+"/out-bill-no/"+url.PathEscape(key.Reference), nil)
	switch {
	case err != nil:
		return transfer{}, false, err
	case res.refused() == "NOTFOUND" && s.now.Sub(key.BornAt) < shownFor:
		return transfer{}, false, nil
	case res.Status >= 400:
		_, err = res.refusal()
		return transfer{}, false, err
	}
	if t, err = readTransfer(res, key); err == nil && t.Amount <= 0 {
		err = unreadable("a transfer without its amount")
	}
	return t, true, err
}

// noTransfer reads a refused transfer. "Not enough" can be mended by filling the account, and then the same number works.
// No refusal proves that there is no transfer, says WeChat, and none justifies another number: so it is believed only
// once a question has found nothing.
func (s session) noTransfer(ctx context.Context, key channels.Key, r channels.PayoutRequest, res answer) (payment.Outcome, error) {
	if res.refused() == "NOTENOUGH" {
		return no("insufficient_balance", res.code(), false), nil
	}
	none, refusal := res.refusal()
	if kind := fault.Of(refusal); kind != fault.KindInvalid && kind != fault.KindConflict {
		return none, refusal
	}
	t, found, err := s.find(ctx, key)
	switch {
	case err != nil:
		return payment.Outcome{}, fault.Unknown("channel_refusal_unproven", "WeChat Pay refused the transfer, and doesn't say whether there is one", err)
	case !found:
		return none, refusal
	case t.Amount != r.AmountMinor:
		return payment.Outcome{}, keyReused()
	}
	return s.transferred(t)
}

func readTransfer(res answer, key channels.Key) (t transfer, err error) {
	if json.Unmarshal(res.Body, &t) != nil {
		return t, unreadable("something that isn't a transfer")
	}
	if t.OutBillNo != key.Reference {
		return t, mismatch()
	}
	return t, nil
}

func (s session) transferred(t transfer) (payment.Outcome, error) {
	out, err := t.outcome()
	if t.State == waitsForPayee && t.Package != "" {
		out.Action = &payment.Action{Type: payment.ActionSDK, Parameters: map[string]string{
			"mchId": s.mchID, "appId": s.appID, "package": t.Package}}
	}
	return out, err
}

func (t transfer) outcome() (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: t.BillNo}
	switch t.State {
	case "ACCEPTED", "PROCESSING", waitsForPayee, "TRANSFERING", "CANCELING":
		out.Verdict = payment.Pending
	case "SUCCESS":
		out.Verdict, out.AmountMinor, out.Currency = payment.Succeeded, t.Amount, currency
		out.EffectiveAt = at(t.UpdateTime)
	case "FAIL":
		reason := t.FailReason
		if !codeShape.MatchString(reason) {
			reason = "FAIL"
		}
		out.Verdict, out.Dead, out.Decline = payment.Declined, true, &payment.Decline{Code: "payout_failed", Channel: reason}
	case "CANCELLED":
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	return out, nil
}

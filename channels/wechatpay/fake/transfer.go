package fake

import (
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

type sending struct {
	AppID     string `json:"appid"`
	OutBillNo string `json:"out_bill_no"`
	Scene     string `json:"transfer_scene_id"`
	OpenID    string `json:"openid"`
	UserName  string `json:"user_name"`
	Amount    int64  `json:"transfer_amount"`
	Remark    string `json:"transfer_remark"`
	NotifyURL string `json:"notify_url"`
	Reports   []struct {
		Type    string `json:"info_type"`
		Content string `json:"info_content"`
	} `json:"transfer_scene_report_infos"`
}

type transfer struct {
	sending
	name      string
	id        string
	state     string
	reason    string
	createdAt time.Time
	updatedAt time.Time
}

var billNumber = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

// transfer sends money to a user, who has to confirm it; an openid with "unknown" in it is nobody, and of one with "slow" in it
// the bill is only accepted at first.
func (s *Server) transfer(c call) reply {
	var p sending
	if !c.decode(&p) || p.AppID != AppID || !billNumber.MatchString(p.OutBillNo) || p.Scene != Scene || p.OpenID == "" ||
		p.Amount < 1 || utf8.RuneCountInString(p.Remark) < 1 || utf8.RuneCountInString(p.Remark) > 32 || len(p.Reports) == 0 {
		return paramError("transfer")
	}
	name, readable := s.reveal(p.UserName, c.Header.Get("Wechatpay-Serial"))
	if !readable || p.Amount >= 2000_00 && name == "" {
		return paramError("user_name")
	}
	p.UserName = ""
	if t := s.transfers[p.OutBillNo]; t != nil {
		if t.OpenID != p.OpenID || t.Amount != p.Amount || t.Remark != p.Remark || t.name != name {
			return refuse(http.StatusBadRequest, "INVALID_REQUEST", "商户单号重复，参数与首次请求时不一致")
		}
		return ok(t.made())
	}
	if p.Amount > s.balance {
		return refuse(http.StatusForbidden, "NOT_ENOUGH", "资金不足")
	}
	t := &transfer{sending: p, name: name, id: s.id("13300"), state: "WAIT_USER_CONFIRM", createdAt: c.now, updatedAt: c.now}
	if strings.Contains(p.OpenID, "unknown") {
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "收款用户不存在")
	}
	if strings.Contains(p.OpenID, "slow") {
		t.state = "ACCEPTED"
	}
	s.transfers[p.OutBillNo] = t
	s.flow(flow{at: c.now, business: t.id, name: "商家转账", kind: "商家转账", amount: -p.Amount, voucher: p.OutBillNo})
	return ok(t.made())
}

// made is the create answer: the only one with package_info.
func (t *transfer) made() map[string]any {
	v := map[string]any{"out_bill_no": t.OutBillNo, "transfer_bill_no": t.id, "state": t.state,
		"create_time": t.createdAt.In(Beijing).Format(time.RFC3339)}
	if t.state == "WAIT_USER_CONFIRM" {
		v["package_info"] = "affffddafdfafddffda==" + t.id
	}
	return v
}

func (t *transfer) object() map[string]any {
	v := map[string]any{"mch_id": MchID, "out_bill_no": t.OutBillNo, "transfer_bill_no": t.id, "appid": AppID, "state": t.state,
		"transfer_amount": t.Amount, "transfer_remark": t.Remark, "openid": t.OpenID,
		"create_time": t.createdAt.In(Beijing).Format(time.RFC3339), "update_time": t.updatedAt.In(Beijing).Format(time.RFC3339)}
	if t.reason != "" {
		v["fail_reason"] = t.reason
	}
	return v
}

func (s *Server) queryTransfer(c call) reply {
	t := s.transfers[c.PathValue("n")]
	if t == nil || c.now.Sub(t.createdAt) > 30*24*time.Hour {
		return refuse(http.StatusNotFound, "NOT_FOUND", "记录不存在")
	}
	return ok(t.object())
}

// FinishTransfer ends a transfer as SUCCESS, FAIL or CANCELLED, or moves it on: ACCEPTED, PROCESSING, TRANSFERING,
// CANCELING. It reports whether it did.
func (s *Server) FinishTransfer(number, state, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transfers[number]
	if t == nil || t.state == Success || t.state == "FAIL" || t.state == "CANCELLED" {
		return false
	}
	t.state, t.reason, t.updatedAt = state, reason, s.now()
	switch state {
	case "FAIL", "CANCELLED":
		s.flow(flow{at: s.now(), business: t.id, name: "商家转账", kind: "商家转账退回", amount: t.Amount, voucher: t.OutBillNo})
		fallthrough
	case Success:
		s.notify(t.NotifyURL, "MCHTRANSFER.BILL.FINISHED", "mch_payment", number)
	}
	return true
}

package fake

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// ReportDelay is how long the fake makes a report.
const ReportDelay = 30 * time.Second

// run is a report in the making.
type run struct {
	id, kind   string
	from, till int64
	columns    []string
	created    time.Time
	live       bool
	file       string
	content    []byte
}

// reporting routes what is about reports. The lock is held.
func (s *Server) reporting(r request, part []string) (answer, bool) {
	get := r.method == http.MethodGet
	switch {
	case len(part) == 4 && part[1] == "reporting" && part[2] == "report_types" && get:
		return s.reportType(part[3], r), true
	case len(part) == 3 && part[1] == "reporting" && part[2] == "report_runs" && !get:
		return s.createRun(r), true
	case len(part) == 4 && part[1] == "reporting" && part[2] == "report_runs" && get:
		for _, each := range s.runs {
			if each.id == part[3] && each.live == r.live {
				return reply(s.runObject(each, r.now)), true
			}
		}
		return missing("report_run", "id", part[3]), true
	case len(part) == 4 && part[1] == "files" && part[3] == "contents" && get:
		for _, each := range s.runs {
			if each.file == part[2] && each.live == r.live {
				return answer{status: http.StatusOK, body: each.content, executed: true}, true
			}
		}
		return missing("file", "id", part[2]), true
	}
	return answer{}, false
}

func known(kind string) bool {
	return kind == "balance_change_from_activity.itemized.3" || kind == "payout_reconciliation.itemized.5"
}

// dataEnd is up to when reports have data: the last midnight that is 12 hours ago.
func dataEnd(now time.Time) int64 {
	return now.Add(-12 * time.Hour).UTC().Truncate(24 * time.Hour).Unix()
}

func (s *Server) reportType(kind string, r request) answer {
	if !known(kind) {
		return missing("report_type", "report_type", kind)
	}
	return reply(map[string]any{"id": kind, "object": "reporting.report_type", "data_available_start": int64(1262304000),
		"data_available_end": dataEnd(r.now), "default_columns": []any{"balance_transaction_id"}, "livemode": r.live, "name": "Itemized",
		"updated": r.now.Unix(), "version": 1})
}

func (s *Server) createRun(r request) answer {
	if bad, ok := r.form.only("report_type", "parameters"); !ok {
		return bad
	}
	kind := r.form["report_type"]
	if !known(kind) {
		return invalid("parameter_invalid", "report_type", "Unrecognized report_type.")
	}
	from, _, bad, ok := r.form.integer("parameters[interval_start]")
	if !ok {
		return bad
	}
	till, _, bad, ok := r.form.integer("parameters[interval_end]")
	if !ok {
		return bad
	}
	if from >= till || till > dataEnd(r.now) {
		return invalid("", "parameters[interval_end]", "The interval is not within the available data.")
	}
	n := &run{id: s.id("frr"), kind: kind, from: from, till: till, columns: r.form.list("parameters[columns]"), created: r.now, live: r.live, file: s.id("file")}
	n.content = s.itemized(n)
	s.runs = append(s.runs, n)
	return reply(s.runObject(n, r.now))
}

func (s *Server) runObject(n *run, now time.Time) map[string]any {
	columns := make([]any, len(n.columns))
	for i, c := range n.columns {
		columns[i] = c
	}
	o := map[string]any{"id": n.id, "object": "reporting.report_run", "created": n.created.Unix(), "error": nil, "livemode": n.live,
		"parameters":  map[string]any{"interval_start": n.from, "interval_end": n.till, "columns": columns},
		"report_type": n.kind, "result": nil, "status": "pending", "succeeded_at": nil}
	if ready := n.created.Add(ReportDelay); !now.Before(ready) {
		o["status"], o["succeeded_at"] = "succeeded", ready.Unix()
		o["result"] = map[string]any{"id": n.file, "object": "file", "created": ready.Unix(), "expires_at": nil, "filename": n.id + ".csv",
			"purpose": "finance_report_run", "size": len(n.content), "title": nil, "type": "csv", "url": s.http.URL + "/v1/files/" + n.file + "/contents"}
	}
	return o
}

// itemized is the report: a row per balance transaction.
func (s *Server) itemized(n *run) []byte {
	type row struct {
		at    time.Time
		cells map[string]string
	}
	var rows []row
	add := func(at time.Time, currency string, gross, fee int64, cells map[string]string) {
		if at.Unix() < n.from || at.Unix() >= n.till {
			return
		}
		cells["created_utc"], cells["available_on_utc"] = at.UTC().Format(time.DateTime), at.AddDate(0, 0, 2).UTC().Format(time.DateTime)
		cells["currency"], cells["gross"], cells["fee"], cells["net"] = currency, majorText(gross, currency), majorText(fee, currency), majorText(gross-fee, currency)
		cells["customer_facing_currency"], cells["customer_facing_amount"] = currency, majorText(gross, currency)
		cells["automatic_payout_id"], cells["automatic_payout_effective_at_utc"] = "po_fake00000001", cells["available_on_utc"]
		rows = append(rows, row{at, cells})
	}
	for _, i := range s.intents {
		if i.live == n.live && i.charge != nil && i.charge.captured > 0 {
			add(i.charge.capturedAt, i.currency, i.charge.captured, Fee(i.charge.captured), map[string]string{"balance_transaction_id": i.charge.balance, "reporting_category": "charge",
				"source_id": i.charge.id, "charge_id": i.charge.id, "payment_intent_id": i.id, "payment_metadata[paysaga_reference]": i.metadata["paysaga_reference"]})
		}
	}
	for _, f := range s.refunds {
		if f.of.live == n.live && f.status == "succeeded" {
			add(f.created, f.of.currency, -f.amount, 0, map[string]string{"balance_transaction_id": "txn_" + f.id, "reporting_category": "refund", "source_id": f.id,
				"charge_id": f.of.charge.id, "payment_intent_id": f.of.id, "payment_metadata[paysaga_reference]": f.of.metadata["paysaga_reference"],
				"refund_metadata[paysaga_reference]": f.metadata["paysaga_reference"]})
		}
	}
	sort.SliceStable(rows, func(a, b int) bool { return rows[a].at.Before(rows[b].at) })
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(n.columns)
	for _, each := range rows {
		record := make([]string, len(n.columns))
		for i, c := range n.columns {
			record[i] = each.cells[c]
		}
		_ = w.Write(record)
	}
	w.Flush()
	return b.Bytes()
}

// Fee is what the fake takes of a charge: 2.9 %.
func Fee(units int64) int64 { return units * 29 / 1000 }

// majorText writes Stripe's units as a report does, in major units.
func majorText(units int64, currency string) string {
	if slices.Contains([]string{"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}, currency) {
		return strconv.FormatInt(units, 10)
	}
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	return sign + strings.TrimSpace(fmt.Sprintf("%d.%02d", units/100, units%100))
}

package stripe

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// The reports that are statements. Both list balance transactions: by when they happened, or by the payout that settled them.
const (
	StatementBalance = "balance_change_from_activity.itemized.3"
	StatementPayouts = "payout_reconciliation.itemized.5"
)

var statements = []string{StatementBalance, StatementPayouts}

// columns are asked for by name and read by name. None of them holds a personal datum.
var columns = []string{"balance_transaction_id", "created_utc", "available_on_utc", "currency", "gross", "fee", "net", "reporting_category",
	"source_id", "charge_id", "payment_intent_id", "customer_facing_amount", "customer_facing_currency", "automatic_payout_id",
	"automatic_payout_effective_at_utc", "payment_metadata[" + metaReference + "]", "refund_metadata[" + metaReference + "]"}

// maxStatement bounds a report.
const maxStatement = 4 << 30

// again is when a report that is in the making is asked for once more.
const again = time.Minute

// Statement runs a report over a day in its zone and streams it. While Stripe has no data of the whole day yet, or is still
// making the report, it is fault.Unavailable; asked again, the same run is found by its key.
func (c *Channel) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	if !slices.Contains(statements, r.Kind) {
		return nil, fault.Invalid("statement_unknown", "kind", "stripe has no such statement")
	}
	s, err := c.session(channels.Call{Account: a})
	if err != nil {
		return nil, err
	}
	y, m, d := r.Day.Date()
	from := time.Date(y, m, d, 0, 0, 0, 0, r.Day.Location())
	till := from.AddDate(0, 0, 1)
	kind, err := s.api.V1ReportingReportTypes.Retrieve(ctx, r.Kind, nil)
	switch {
	case err != nil:
		return nil, readError(err)
	case kind.Object != "reporting.report_type" || kind.ID != r.Kind:
		return nil, unreadable()
	case kind.DataAvailableEnd < till.Unix():
		return nil, fault.Unavailable("statement_not_ready", "stripe has no data of the whole day yet", nil).WithRetryAfter(again)
	case kind.DataAvailableStart > from.Unix():
		return nil, fault.NotFound("a statement of stripe's of that day")
	}
	run, err := s.report(ctx, r.Kind, from, till)
	if err != nil {
		return nil, err
	}
	return c.download(ctx, s, run)
}

// report begins a run, or finds the one that its key began, and reads how far it is.
func (s session) report(ctx context.Context, kind string, from, till time.Time) (*sdk.ReportingReportRun, error) {
	p := &sdk.ReportingReportRunCreateParams{ReportType: sdk.String(kind), Parameters: &sdk.ReportingReportRunCreateParametersParams{
		IntervalStart: sdk.Int64(from.Unix()), IntervalEnd: sdk.Int64(till.Unix()), Columns: sdk.StringSlice(columns)}}
	p.SetIdempotencyKey("statement:" + s.Account.ID + ":" + kind + ":" + from.UTC().Format(time.RFC3339))
	run, err := s.api.V1ReportingReportRuns.Create(ctx, p)
	if err != nil {
		return nil, readError(err)
	}
	if run.Object != "reporting.report_run" || run.ID == "" {
		return nil, unreadable()
	}
	if run.Status != sdk.ReportingReportRunStatusSucceeded { // a repeat answers as the first time did
		if run, err = s.api.V1ReportingReportRuns.Retrieve(ctx, run.ID, nil); err != nil {
			return nil, readError(err)
		}
	}
	switch run.Status {
	case sdk.ReportingReportRunStatusSucceeded:
		return run, nil
	case sdk.ReportingReportRunStatusPending:
		return nil, fault.Unavailable("statement_not_ready", "stripe is still making the report", nil).WithRetryAfter(again)
	case sdk.ReportingReportRunStatusFailed:
		return nil, fault.Unavailable("statement_failed", "stripe couldn't make the report", nil)
	}
	return nil, unreadable()
}

// download streams a run's file. Its address comes with the answer, so the secret key goes there only if it is Stripe's.
func (c *Channel) download(ctx context.Context, s session, run *sdk.ReportingReportRun) (io.ReadCloser, error) {
	if run.Result == nil {
		return nil, unreadable()
	}
	u, err := url.Parse(run.Result.URL)
	if err != nil || !filesAt(s.Account, u) {
		return nil, fault.Unknown("channel_answer_foreign", "stripe's report lies at a foreign address", nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, unreadable()
	}
	req.Header.Set("Authorization", "Bearer "+s.secret)
	return c.client.Stream(ctx, req, maxStatement)
}

func filesAt(a channels.Account, u *url.URL) bool {
	if a.BaseURL != "" {
		base, err := url.Parse(a.BaseURL)
		return err == nil && u.Scheme == base.Scheme && u.Host == base.Host && u.User == nil
	}
	return u.Scheme == "https" && u.Host == "files.stripe.com" && u.User == nil
}

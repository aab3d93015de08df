package cells

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"paysaga/workflows"
)

// keep writes the histories of a run that broke a promise into the folder of evidence, one file per run: what was broken, then each
// saga event by event. Without a folder, and where a file can't be written, the violations have to speak for themselves.
func (r *Run) keep(v Verdict, s state) {
	if r.house.Evidence == "" || len(v.Violations) == 0 || v.Untimely() || os.MkdirAll(r.house.Evidence, 0o755) != nil {
		return
	}
	var b strings.Builder
	fmt.Fprintln(&b, v.Cell)
	for _, what := range v.Violations {
		fmt.Fprintln(&b, what)
	}
	for _, p := range s.Payments {
		r.history(&b, workflows.PaymentID(p.ID))
	}
	for _, f := range s.Refunds {
		r.history(&b, workflows.RefundID(f.ID))
	}
	for _, y := range s.Payouts {
		r.history(&b, workflows.PayoutID(y.ID))
	}
	name := strings.NewReplacer("/", "_", ":", "_").Replace(v.Cell.String())
	_ = os.WriteFile(filepath.Join(r.house.Evidence, fmt.Sprintf("%s_%d.txt", name, time.Now().UnixMilli())), []byte(b.String()), 0o644)
}

func (r *Run) history(b *strings.Builder, workflowID string) {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	fmt.Fprintln(b, "\n== "+workflowID)
	events := r.house.Stage.Client.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			fmt.Fprintln(b, err)
			return
		}
		fmt.Fprintln(b, protojson.MarshalOptions{}.Format(e))
	}
}

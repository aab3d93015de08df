package channeltest

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"paysaga/channels"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// writing says whether what the suite proves is to be written: `make proofs`.
func writing() bool { return os.Getenv("PAYSAGA_PROOFS") == "write" }

// ProofFile is where a channel's package keeps what its conformance suite proves; docs/channels.md is made of these files.
const ProofFile = "testdata/proofs.json"

// Proof is what a channel offers, and how many cases of the suite called each of its operations, all of them passing.
type Proof struct {
	Channel    string                     `json:"channel"`
	Methods    []payment.MethodType       `json:"methods"`
	Statements []string                   `json:"statements"`
	Operations map[channels.Operation]int `json:"operations"`
	Cases      int                        `json:"cases"` // that were about what the channel has
}

// prover gathers what cases have called.
type prover struct {
	mu     sync.Mutex
	about  channels.Description
	ran    int // cases that were looked at, also those that the channel doesn't have
	cases  int
	called map[channels.Operation]int
}

// done notes one case and the operations that it called.
func (p *prover) done(d channels.Description, about bool, ops map[channels.Operation]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.about = d
	p.ran++
	if about {
		p.cases++
	}
	for op := range ops {
		p.called[op]++
	}
}

// compare holds what was proved against the file, or writes it. A run of some of the cases proves nothing of the others.
func (p *prover) compare(t *testing.T, all int) {
	if p.ran < all || t.Failed() {
		return
	}
	got := Proof{Channel: p.about.Name, Methods: p.about.Methods, Statements: p.about.Statements, Operations: map[channels.Operation]int{}, Cases: p.cases}
	for _, op := range p.about.Operations {
		got.Operations[op] = p.called[op]
	}
	if writing() {
		raw, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(ProofFile), 0o755)
		}
		if err == nil {
			err = os.WriteFile(ProofFile, append(raw, '\n'), 0o644)
		}
		assert.NoError(t, err)
		return
	}
	kept, err := ReadProof(ProofFile)
	if assert.NoError(t, err) {
		assert.Equal(t, kept, got, "what the suite proves isn't what docs/channels.md says; run `make proofs`")
	}
}

// ReadProof reads a channel's file.
func ReadProof(path string) (p Proof, err error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	return p, err
}

// noting is an adapter whose calls are noted.
type noting struct {
	channels.Channel
	mu     sync.Mutex
	called map[channels.Operation]bool
}

func (n *noting) note(op channels.Operation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.called[op] = true
}

func (n *noting) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	n.note(channels.OpCharge)
	return n.Channel.Charge(ctx, c, r)
}

func (n *noting) Capture(ctx context.Context, c channels.Call, r channels.CaptureRequest) (payment.Outcome, error) {
	n.note(channels.OpCapture)
	return n.Channel.Capture(ctx, c, r)
}

func (n *noting) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	n.note(channels.OpCancel)
	return n.Channel.Cancel(ctx, c, r)
}

func (n *noting) Confirm(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	n.note(channels.OpConfirm)
	return n.Channel.Confirm(ctx, c, r)
}

func (n *noting) Ask(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	n.note(channels.OpAsk)
	return n.Channel.Ask(ctx, c, r)
}

func (n *noting) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	n.note(channels.OpRefund)
	return n.Channel.Refund(ctx, c, r)
}

func (n *noting) AskRefund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	n.note(channels.OpAskRefund)
	return n.Channel.AskRefund(ctx, c, r)
}

func (n *noting) Payout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	n.note(channels.OpPayout)
	return n.Channel.Payout(ctx, c, r)
}

func (n *noting) AskPayout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	n.note(channels.OpAskPayout)
	return n.Channel.AskPayout(ctx, c, r)
}

func (n *noting) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	n.note(channels.OpCallback)
	return n.Channel.ParseCallback(a, raw)
}

func (n *noting) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	n.note(channels.OpStatement)
	return n.Channel.Statement(ctx, a, r)
}

func (n *noting) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	n.note(channels.OpStatement)
	return n.Channel.ReadStatement(f, r, each)
}

func (n *noting) Probe(ctx context.Context, a channels.Account) error {
	n.note(channels.OpProbe)
	return n.Channel.Probe(ctx, a)
}

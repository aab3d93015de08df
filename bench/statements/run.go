// Package statements measures the parsers of channels' statements: lines per second and memory, beside what the standard library takes to cut
// the same bytes into cells without understanding any, in the same run.
package statements

import (
	"context"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"paysaga/bench/gauge"
	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/bank"
	"paysaga/channels/paypal"
	"paysaga/channels/sandbox"
	"paysaga/channels/stripe"
	"paysaga/channels/wechatpay"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// Config of a run.
type Config struct {
	Channels channels.Registry
	Lines    int       // of WeChat's trade bill
	Others   int       // of each other statement
	Progress io.Writer // a terminal; nil: nowhere
	Out      io.Writer
}

// Cell is one parser's figures.
type Cell struct {
	Channel string  `json:"channel"`
	Kind    string  `json:"kind"`
	Lines   int     `json:"lines"`
	Bytes   int64   `json:"bytes"`
	Rate    float64 `json:"lines_per_second"`
	Floor   float64 `json:"floor_lines_per_second"` // of the standard library, on the same bytes
	// PerCPU and FloorPerCPU are per second of a core that the process really had, the garbage collector's included: on a machine that others
	// use too, these say more than the clock.
	PerCPU      float64 `json:"lines_per_cpu_second"`
	FloorPerCPU float64 `json:"floor_lines_per_cpu_second"`
	FloorOf     string  `json:"floor"`
	Making      float64 `json:"generated_lines_per_second"` // what making the bytes alone takes; it is in both figures
	// PeakOwn is the most memory that the process had of its own while it parsed: heap, stacks and what the runtime keeps for them, all of the
	// process's, not the parser's only. OwnBefore was there before it began.
	PeakOwn   int64 `json:"peak_own_bytes"`
	OwnBefore int64 `json:"own_before_bytes"`
	// PeakRSS is with the pages of the binary that were needed, too: code and tables. They are the file's, shared by every process of the binary,
	// and the kernel lets them go when it wants the room; those that starting all of paysaga has touched are let go before. RSSBefore was there
	// before it began.
	PeakRSS   int64 `json:"peak_rss_bytes"`
	RSSBefore int64 `json:"rss_before_bytes"`
}

// Result of a run.
type Result struct {
	Machine string `json:"machine"`
	Cells   []Cell `json:"cells"`
}

type subject struct {
	channel, kind string
	form          func(n int) form
	xml           bool
}

func fixed(f form) func(int) form { return func(int) form { return f } }

var subjects = []subject{
	{wechatpay.Name, wechatpay.Trade, fixed(wechatTrade), false},
	{wechatpay.Name, wechatpay.FundFlow, fixed(wechatFundFlow), false},
	{alipay.Name, alipay.BillTrade, fixed(alipayTrade), false},
	{paypal.Name, paypal.StatementSettlement, fixed(paypalSettlement), false},
	{stripe.Name, stripe.StatementBalance, fixed(stripeBalance), false},
	{bank.Name, bank.KindStatement, bankDay, true},
	{sandbox.Name, sandbox.Moves, fixed(sandboxMoves), false},
}

// Run measures each parser once.
func Run(ctx context.Context, c Config) (Result, error) {
	res := Result{Machine: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	bar := gauge.NewBar(c.Progress, 3*len(subjects))
	defer bar.End()
	t := tabwriter.NewWriter(c.Out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "CHANNEL\tKIND\tLINES\tLINES/S\tPER CPU SECOND\tFLOOR\tOF IT\tOWN MEMORY\tWITH THE BINARY\t")
	for i, s := range subjects {
		n := c.Others
		if i == 0 {
			n = c.Lines
		}
		cell, err := s.measure(ctx, c.Channels, n, bar)
		if err != nil {
			return res, fmt.Errorf("%s %s: %w", s.channel, s.kind, err)
		}
		res.Cells = append(res.Cells, cell)
		fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\t%.0f\t%.0f %s\t%.2f\t%.1f MB\t%.1f MB\t\n", cell.Channel, cell.Kind, cell.Lines, cell.Rate, cell.PerCPU, cell.FloorPerCPU,
			cell.FloorOf, cell.PerCPU/cell.FloorPerCPU, float64(cell.PeakOwn)/1e6, float64(cell.PeakRSS)/1e6)
	}
	return res, t.Flush()
}

func (s subject) measure(ctx context.Context, registry channels.Registry, n int, bar *gauge.Bar) (Cell, error) {
	cell := Cell{Channel: s.channel, Kind: s.kind, Lines: n, FloorOf: "encoding/csv"}
	ch, err := registry.Get(s.channel)
	if err != nil {
		return cell, err
	}
	made := func() io.Reader { return generate(s.form(n), n) }
	rate := func(do func() error) (perSecond, perCPU float64, err error) {
		began, had := time.Now(), processor()
		err = do()
		bar.Step(s.channel + " " + s.kind)
		return float64(n) / time.Since(began).Seconds(), float64(n) / max(processor()-had, time.Microsecond).Seconds(), err
	}
	cell.Making, _, err = rate(func() (err error) { cell.Bytes, err = io.Copy(io.Discard, struct{ io.Reader }{made()}); return err })
	if err != nil {
		return cell, err
	}
	floor := cutCSV
	if s.xml {
		floor, cell.FloorOf = cutXML, "encoding/xml"
	}
	if cell.Floor, cell.FloorPerCPU, err = rate(func() error { return floor(made()) }); err != nil {
		return cell, err
	}
	debug.FreeOSMemory()
	releaseBinary()
	cell.RSSBefore, cell.OwnBefore = resetPeak(), memory("RssAnon:")
	file := reconcile.File{Name: "generated", Kind: s.kind, Account: "cha_bench", Book: id.Test, Hash: strings.Repeat("0", 64)}
	lines := 0
	cell.Rate, cell.PerCPU, err = rate(func() error {
		sum, err := ch.ReadStatement(file, made(), func(*reconcile.Line) error {
			if lines++; lines%sampled == 0 {
				cell.PeakOwn = max(cell.PeakOwn, memory("RssAnon:")) // the kernel keeps no peak of it; what is freed stays for seconds
			}
			return ctx.Err()
		})
		if err == nil && sum.Lines != n {
			err = fmt.Errorf("%d lines were read of %d", sum.Lines, n)
		}
		return err
	})
	cell.PeakOwn, cell.PeakRSS = max(cell.PeakOwn, memory("RssAnon:")), memory("VmHWM:")
	return cell, err
}

// sampled is after how many lines memory is looked at: tens of times a second.
const sampled = 10_000

// processor is how long this process has had a core.
func processor() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // of ourselves it can't fail
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// cutCSV cuts lines into cells, and that is all.
func cutCSV(r io.Reader) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.ReuseRecord, c.LazyQuotes = -1, true, true
	for {
		if _, err := c.Read(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// cutXML cuts a document into tokens, and that is all.
func cutXML(r io.Reader) error {
	d := xml.NewDecoder(r)
	for {
		if _, err := d.RawToken(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// resetPeak makes the kernel forget the most memory that this process has held, and returns what it holds now.
func resetPeak() int64 {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // without it the peak is of the whole run, which is no less
	return memory("VmRSS:")
}

// memory is a figure of /proc in bytes; 0 where there is none.
func memory(name string) int64 {
	raw, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

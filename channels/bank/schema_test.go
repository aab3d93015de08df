package bank_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// The schemas of ISO 20022, and real banks' samples, come with a module that is no
// part of paysaga: it is fetched as Go fetches modules, and held against its sum.
const (
	schemas    = "github.com/moov-io/iso20022@v0.2.1"
	schemasSum = "h1:DxghLeyQheunSWxOXrdMNJZxHMkTFEfRNqIcUBd2fvM="
)

var iso20022 = sync.OnceValues(func() (string, error) {
	empty, err := os.MkdirTemp("", "paysaga-iso20022-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(empty) }()
	cmd := exec.Command("go", "mod", "download", "-json", schemas)
	cmd.Dir = empty
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	raw, err := cmd.Output()
	var m struct{ Dir, Sum, Error string }
	if json.Unmarshal(raw, &m) == nil && m.Sum == schemasSum {
		return m.Dir, nil
	}
	return "", fmt.Errorf("%s: %s (%w); its sum is %q", schemas, m.Error, err, m.Sum)
})

func module(t *testing.T) string {
	t.Helper()
	dir, err := iso20022()
	require.NoError(t, err)
	return dir
}

// valid holds a file against its schema; where xmllint isn't installed it says so,
// and the test goes on with what is left of it.
func valid(t *testing.T, schema string, content []byte) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Logf("xmllint isn't installed (Debian: libxml2-utils): %s isn't held against its schema here", schema)
		return
	}
	found, err := filepath.Glob(filepath.Join(module(t), "docs/specifications/*", schema+".xsd"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	name := filepath.Join(t.TempDir(), "file.xml")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	out, err := exec.Command(tool, "--nonet", "--noout", "--schema", found[0], name).CombinedOutput()
	require.NoError(t, err, "%s: %s\n%s", schema, out, content)
}

// files makes each kind of file that paysaga or the fake bank writes.
func files(t *testing.T, pain string) (w *world, sent []byte) {
	t.Helper()
	w = newWorld(t)
	w.acct.Credentials[bank.PainVersion] = pain
	n := 0
	w.bank.Decide = func(tr fake.Transfer) (string, string) {
		if n++; n == 2 {
			return "RJCT", "AC04"
		}
		return "ACSC", ""
	}
	for i, currency := range []string{"EUR", "JPY", "EUR", "BHD", "CLF"} {
		c := w.call(id.Payout, id.PayoutOut)
		r := request
		r.Currency, r.AmountMinor = currency, int64(100000+i)
		r.Note = strings.Repeat("é // <&>\"' ", i*10)
		r.Name = strings.Repeat("Ünal-O'Neill ", i+1)
		_, err := w.channel().Payout(t.Context(), c, r)
		require.NoError(t, err)
	}
	w.advance(5 * time.Hour)
	w.work()
	out := w.disk.Files(bank.Outbox)
	require.Len(t, out, 1)
	return w, w.disk.Get(out[0])
}

func TestOurFilesAreAsTheirSchemaSays(t *testing.T) {
	t.Parallel()
	_, sent := files(t, bank.V10)
	valid(t, "pain.001.001.10_1", sent)
	_, old := files(t, bank.V03) // the module has no schema of it: the differences are held against what it says
	assert.Contains(t, string(old), "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03")
	assert.Contains(t, string(old), "<ReqdExctnDt>2026-11-16</ReqdExctnDt>")
	assert.Contains(t, string(old), "<BIC>COBADEFFXXX</BIC>")
	as10 := strings.NewReplacer("pain.001.001.03", "pain.001.001.10", "<BIC>", "<BICFI>", "</BIC>", "</BICFI>",
		"<ReqdExctnDt>2026-11-16</ReqdExctnDt>", "<ReqdExctnDt>\n    <Dt>2026-11-16</Dt>\n   </ReqdExctnDt>").Replace(string(old))
	assert.Equal(t, squeezed(string(sent)), squeezed(as10), "nothing else differs")
}

func squeezed(text string) string { return strings.Join(strings.Fields(text), "") }

// The fake bank's own files, so that what is proved against it is proved of banks.
func TestTheFakesFilesAreAsTheirSchemaSays(t *testing.T) {
	t.Parallel()
	w, _ := files(t, bank.V10)
	require.NoError(t, w.bank.Take())
	w.bank.Receive(fake.Booking{Minor: 700, Currency: "EUR", RF: "RF18539007547034", IBAN: theirIBAN, Name: "Ada & Co"})
	w.bank.Receive(fake.Booking{Minor: 900, Currency: "EUR", Text: "hello <you>", IBAN: theirIBAN, Name: "Ada"})
	w.bank.Return(w.bank.Book()[0].EndToEnd, "AC01")
	w.bank.Enter(fake.Booking{Minor: -50, Currency: "EUR", Code: "MDOP.CHRG"})
	valid(t, "camt.054.001.08", w.disk.Get(w.bank.Tell()))
	valid(t, "camt.053.001.08", w.disk.Get(w.bank.Day()))
	seen := 0
	for _, name := range w.disk.Files(bank.Inbox) {
		if strings.Contains(name, "pain.002") {
			valid(t, "pain.002.001.11", w.disk.Get(name))
			seen++
		}
	}
	assert.Equal(t, 1, seen)
}

// impossible are samples that were changed by hand until they contradict themselves.
var impossible = map[string]string{
	"camt.053_P_CH2909000000250094239_1110092698_0_2020112503071366.xml": "line 141: the transactions of an entry don't add up to it", // a debit of one credit
}

// Real banks' files: each is read, or refused for a reason that is named here.
func TestRealBanksFiles(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(module(t), "test/testdata/*.xml"))
	require.NoError(t, err)
	ch := bank.New(nil)
	read := map[string]int{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		name := filepath.Base(path)
		kind := ""
		switch {
		case strings.Contains(string(raw), "tech:xsd:camt.053.001"):
			kind = bank.KindStatement
		case strings.Contains(string(raw), "tech:xsd:camt.054.001"):
			kind = bank.KindNotification
		default:
			continue
		}
		lines := 0
		sums, err := ch.ReadStatement(reconcile.File{Name: name, Kind: kind}, strings.NewReader(string(raw)), func(l *reconcile.Line) error {
			lines++
			require.NotEmpty(t, l.Identity)
			require.False(t, l.SettledOn.IsZero())
			return nil
		})
		t.Logf("%s: %d lines, %+v, %v", name, lines, sums, err)
		if err == nil {
			read[kind] += lines
		}
		if why := impossible[name]; why != "" {
			assert.ErrorContains(t, err, why, name)
			continue
		}
		assert.NoError(t, err, name)
	}
	assert.Positive(t, read[bank.KindStatement])
	assert.Positive(t, read[bank.KindNotification])
}

package alipay_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
)

// packed is a zip of files, by their names as they are.
func packed(t *testing.T, method uint16, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: files[i], NonUTF8: true, Method: method})
		require.NoError(t, err)
		_, err = w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

// sized is a zip whose headers say how long each file is, before it begins.
func sized(t *testing.T, method uint16, name, text string) []byte {
	t.Helper()
	var one, out bytes.Buffer
	z := zip.NewWriter(&one)
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, NonUTF8: true, Method: method})
	require.NoError(t, err)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	r, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
	require.NoError(t, err)
	h := r.File[0].FileHeader
	h.Flags &^= 8
	raw, err := r.File[0].OpenRaw()
	require.NoError(t, err)
	again := zip.NewWriter(&out)
	to, err := again.CreateRaw(&h)
	require.NoError(t, err)
	var content bytes.Buffer
	_, err = content.ReadFrom(raw)
	require.NoError(t, err)
	_, err = to.Write(content.Bytes())
	require.NoError(t, err)
	require.NoError(t, again.Close())
	return out.Bytes()
}

var (
	billName    = fake.GBK("20880000000000010156_20260301_业务明细.csv")
	summaryName = fake.GBK("20880000000000010156_20260301_业务明细(汇总).csv")
)

func TestZipsOfEveryMakeAreRead(t *testing.T) {
	t.Parallel()
	text := fake.GBK(tradeBill(tradeRow+backRow, goodSums))
	for name, content := range map[string][]byte{
		"as Alipay packs them": fake.Zip(map[string]string{"1_业务明细.csv": tradeBill(tradeRow+backRow, goodSums), "1_业务明细(汇总).csv": "#"}),
		"the summary last":     packed(t, zip.Deflate, billName, text, summaryName, "#"),
		"no summary":           packed(t, zip.Deflate, billName, text),
		"sizes before":         sized(t, zip.Deflate, billName, text),
		"not compressed":       sized(t, zip.Store, billName, text),
	} {
		lines, _, err := read(alipay.BillTrade, iotest.OneByteReader(bytes.NewReader(content)))
		require.NoError(t, err, name)
		require.Len(t, lines, 2, name)
	}
}

func TestZipsThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	text := fake.GBK(tradeBill(tradeRow+backRow, goodSums))
	good := packed(t, zip.Deflate, billName, text, summaryName, "#")
	// patch changes two bytes behind the nth signature.
	patch := func(sig string, at int, value uint16) []byte {
		out := bytes.Clone(good)
		i := bytes.LastIndex(out, []byte(sig))
		require.GreaterOrEqual(t, i, 0)
		binary.LittleEndian.PutUint16(out[i+at:], value)
		return out
	}
	const local, descriptor, central, end = "PK\x03\x04", "PK\x07\x08", "PK\x01\x02", "PK\x05\x06"
	bomb := packed(t, zip.Deflate, billName, strings.SplitAfter(text, "\r\n")[0]+strings.Repeat("#\r\n", 1<<20))
	for name, c := range map[string]struct {
		content []byte
		reason  string
	}{
		"a bomb":                        {packed(t, zip.Deflate, summaryName, strings.Repeat("\x00", 64<<20), billName, text), "bomb"},
		"a bomb of comments":            {bomb, ""},
		"two bills":                     {packed(t, zip.Deflate, billName, text, "2"+billName, text), "two bills"},
		"no bill":                       {packed(t, zip.Deflate, summaryName, "#"), "no bill of this kind"},
		"a bill of another kind":        {packed(t, zip.Deflate, fake.GBK("账务明细.csv"), text), "isn't of this kind"},
		"something else beside":         {packed(t, zip.Deflate, billName, text, "readme.csv", "x"), "isn't of this kind"},
		"a program beside":              {packed(t, zip.Deflate, billName, text, "a.exe", "x"), "name can't be read"},
		"a way out":                     {packed(t, zip.Deflate, "../"+billName, text), "name can't be read"},
		"a zip in the zip":              {packed(t, zip.Deflate, billName[:4]+".zip", string(good)), "name can't be read"},
		"half a character in the name":  {packed(t, zip.Deflate, "\x81", text), "name can't be read"},
		"nine files":                    {packed(t, zip.Deflate, many8(billName, text)...), "too many files"},
		"no file":                       {packed(t, zip.Deflate), "neither a zip with files"},
		"a stored file without its end": {packed(t, zip.Store, billName, text), "where a file ends"},
		"encrypted":                     {patch(local, 6, 9), "encrypted"},
		"packed otherwise":              {patch(local, 8, 12), "packed in a way"},
		"another checksum behind":       {patch(descriptor, 4, 0xbeef), "damaged"},
		"another size behind":           {patch(descriptor, 12, 0xbeef), "damaged"},
		"another checksum listed":       {patch(central, 16, 0xbeef), "table of contents"},
		"another size listed":           {patch(central, 24, 0xbeef), "table of contents"},
		"another place listed":          {patch(central, 42, 0xbeef), "table of contents"},
		"another name listed":           {patch(central, 46, 0x3131), "table of contents"},
		"a file less listed":            {patch(end, 10, 1), "table of contents"},
		"another table":                 {patch(end, 16, 0xbeef), "table of contents"},
		"several disks":                 {patch(end, 4, 1), "table of contents"},
		"something behind":              {append(bytes.Clone(good), 'x'), "something follows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken(t, alipay.BillTrade, c.content, c.reason)
		})
	}
	t.Run("cut anywhere", func(t *testing.T) {
		t.Parallel()
		for n := range good {
			_, _, err := read(alipay.BillTrade, bytes.NewReader(good[:n]))
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%d: %v", n, err)
		}
	})
}

func many8(name, text string) (files []string) {
	files = append(files, name, text)
	for i := range 8 {
		files = append(files, string(rune('a'+i))+summaryName, "#")
	}
	return files
}

package webhook

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// hostile are URLs that no endpoint may have, by the code of the refusal.
var hostile = map[string][]string{
	"url_scheme": {
		"http://shop.example.com/", "HTTP://shop.example.com/", "ftp://shop.example.com/", "file://shop.example.com/etc/passwd",
		"gopher://shop.example.com:443/_GET", "dict://shop.example.com:443/", "ldap://shop.example.com/", "ws://shop.example.com/",
		"wss://shop.example.com/", "jar://shop.example.com!/", "unix://shop.example.com/run/x.sock", "httpss://shop.example.com/",
		"//shop.example.com/",
	},
	"url_invalid": {
		"", "shop.example.com", "/hook", "https:", "https://", "https:///hook", "https:shop.example.com", "https:/shop.example.com",
		"file:///etc/passwd", "data:text/plain,x", "javascript:alert(1)", "mailto:a@shop.example.com", "://shop.example.com",
		"https://user@shop.example.com/", "https://user:secret@shop.example.com/", "https://@shop.example.com/", "https://:@shop.example.com/",
		"https://shop.example.com@127.0.0.1/", "https://shop.example.com:443@127.0.0.1/", "https://127.0.0.1@shop.example.com/",
		"https://a@b@127.0.0.1/", "https://shop.example.com/#part", "https://shop.example.com#@127.0.0.1/", "https://shop.example.com/#",
		"https://shop.example.com\\@127.0.0.1/", "https://127.0.0.1\\.shop.example.com/", "https:\\\\127.0.0.1\\", " https://shop.example.com/",
		"https://shop.example.com/ ", "https://shop.example.com/a b", "https://shop.example.com/\r\nX: y", "https://shop.example.com\n.evil.com/",
		"https://shop.example.com\t/", "https://shop.example.com/\x00", "https://shop.example.com/\x7f", "https://shop.example.com/é",
		"https://127。0。0。1/", "https://１２７.0.0.1/", "https://①②⑦.⓪.⓪.①/", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://localhoſt/",
		"https://shop.example․com/", "https://аpple.com/", "https://faß.de/", "https://例え.jp/", "https://sh\u200bop.example.com/", "https://shop\u2044x.com/",
		"https://%31%32%37.0.0.1/", "https://127.0.0.1%00.example.com/", "https://%6c%6fcalhost/", "https://[::1/", "https://[8.8.8.8]/", "https://[localhost]/", "https://::1/", "https://[fe80::1%eth0]/",
		"https://shop.example.com:-443/", "https://shop.example.com:+443/", "https://shop.example.com:https/", "https://shop.example.com:443:80/",
		"https://" + strings.Repeat("a", 2000) + ".com/",
	},
	"url_port": {
		"https://shop.example.com:80/", "https://shop.example.com:22/", "https://shop.example.com:8443/", "https://shop.example.com:6379/",
		"https://shop.example.com:0/", "https://shop.example.com:/", "https://shop.example.com:0443/", "https://shop.example.com:65979/",
		"https://shop.example.com:4294967739/", "https://shop.example.com:9200/_search", "https://127.0.0.1:5432/", "https://shop.example.com:99999999999999999999/",
	},
	"url_host": {
		"https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://127.255.255.254/", "https://2130706433/", "https://0x7f000001/",
		"https://0x7f.0.0.1/", "https://0X7F.0.0.0X1/", "https://0177.0.0.1/", "https://017700000001/", "https://0x7f.1/", "https://127.0.0.01/",
		"https://00127.0.0.1/", "https://127.0.0.1./", "https://2130706433./", "https://0x7f000001./", "https://0/", "https://0.0.0.0/", "https://0x0/",
		"https://00/", "https://0x/", "https://4294967295/", "https://18446744073709551617/", "https://1.2.3.4.5/", "https://1.2.3/", "https://256.256.256.256/", "https://0x08.8.8.8/",
		"https://08.8.8.8/", "https://134744072/", "https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/",
		"https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/",
		"https://169.254.170.2/", "https://100.64.0.1/", "https://100.100.100.200/latest/", "https://168.63.129.16/", "https://192.0.0.192/",
		"https://192.0.2.1/", "https://198.51.100.7/", "https://203.0.113.9/", "https://198.18.0.1/", "https://224.0.0.1/", "https://239.255.255.250/",
		"https://240.0.0.1/", "https://255.255.255.255/", "https://192.88.99.1/",
		"https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:8.8.8.8]/",
		"https://[::127.0.0.1]/", "https://[::7f00:1]/", "https://[::ffff:0:127.0.0.1]/", "https://[64:ff9b::127.0.0.1]/", "https://[64:ff9b::a9fe:a9fe]/",
		"https://[64:ff9b:1::1]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/", "https://[2001::1]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
		"https://[2001:db8::1]/", "https://[3fff::1]/", "https://[3ffe::1]/", "https://[2001:20::1]/", "https://[fc00::1]/", "https://[fd00::1]/", "https://[fd00:ec2::254]/",
		"https://[fd20:ce::254]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[2606:4700::1%25lo]/", "https://[fec0::1]/", "https://[ff02::1]/",
		"https://[100::1]/", "https://[5f00::1]/", "https://[2606:4700::5efe:10.0.0.1]/", "https://[2606:4700:0:0:200:5efe:a00:1]/",
		"https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/", "https://localhost.localdomain/", "https://printer.local/",
		"https://metadata.google.internal/", "https://vault.internal/", "https://db/", "https://kubernetes.default.svc.cluster.local/", "https://router.lan/",
		"https://nas.home/", "https://x.home.arpa/", "https://1.0.0.127.in-addr.arpa/", "https://x.onion/", "https://x.test/", "https://x.invalid/",
		"https://shop.example.com./", "https://shop..example.com/", "https://.example.com/", "https://-a.example.com/", "https://a-.example.com/",
		"https://a_b.example.com/", "https://ab--c.example.com/", "https://xn--/", "https://xn--a.example.com/", "https://xn--localhost-.com/", "https://a*.example.com/",
		"https://shop,example.com/", "https://$host.example.com/", "https://" + strings.Repeat("a", 64) + ".com/", "https://" + strings.Repeat("a.", 130) + "com/", "https://127.0.0.1.0x7f/",
		"https://shop.example.com;evil.com/", "https://shop.example.com&evil.com/", "https://'shop'.example.com/", "https://!shop.example.com/", "https://(shop).example.com/",
	},
}

// inside are addresses that a name may lead to and that are never dialled.
var inside = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200", "127.0.0.1", "127.1.2.3", "127.255.255.255",
	"169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.31.196.1",
	"192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
	"239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
	"::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
	"2001:1ff:ffff::1", "2002:7f00:1::1", "2002:a00:1::1", "2620:4f:8000::1", "3ffe::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "8000::1", "fc00::1", "fd00::1", "fd00:ec2::254",
	"fd20:ce::254", "fe80::1", "fe80::1%eth0", "fe80::1%1", "2606:4700::1%lo", "febf::1", "fec0::1", "ff00::1", "ff02::1", "ff0e::1", "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:10.0.0.1",
}

// outside are addresses, each one beside something that is closed.
var outside = []string{"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17", "2606:4700::1111", "2001:4860:4860::8888",
	"2001:200::1", "2003::1", "2a00:1450::1"}

// names is a resolver: what it doesn't know leads to loopback, as the most credulous one would have it.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := n[strings.TrimSuffix(host, ".")]
	if !ok {
		texts = []string{"127.0.0.1"}
	}
	var addrs []netip.Addr
	for _, t := range texts {
		addrs = append(addrs, netip.MustParseAddr(t))
	}
	return addrs, nil
}

// watched is a Sender that fails the test when anything is dialled.
func watched(t *testing.T, c Config) *Sender {
	t.Helper()
	s, err := New(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.connect = func(_ context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
		t.Errorf("%s was dialled", to)
		return nil, net.ErrClosed
	}
	return s
}

func one(t *testing.T, s *Sender, url string) delivery.Delivery {
	t.Helper()
	secret, err := s.NewSecret()
	require.NoError(t, err)
	return delivery.Delivery{EventID: "evt_01", URL: url, Body: []byte(`{"id":"evt_01"}`), Secrets: []delivery.Secret{secret}}
}

func TestHostileURLsAreRefused(t *testing.T) {
	t.Parallel()
	s := watched(t, Config{Resolver: names{}})
	total := 0
	for code, urls := range hostile {
		for _, raw := range urls {
			total++
			err := s.CheckURL("endpoint.url", raw)
			if !assert.True(t, fault.Is(err, fault.KindInvalid, code), "%q: %v, not %s", raw, err, code) {
				continue
			}
			assert.Equal(t, "endpoint.url", fault.As(err).Param)
			r, err := s.Send(t.Context(), one(t, s, raw))
			require.NoError(t, err)
			assert.Equal(t, delivery.Refused, r.Outcome, raw)
			// And were registration passed by: the dialer by itself.
			if u, err := url.Parse(raw); err == nil && u.Host != "" {
				port := u.Port()
				if port == "" {
					port = "443"
				}
				_, err := s.dial(t.Context(), "tcp", net.JoinHostPort(u.Hostname(), port))
				require.Error(t, err, raw)
			}
		}
	}
	assert.Greater(t, total, 200)
}

func TestNamesThatLeadInsideAreRefused(t *testing.T) {
	t.Parallel()
	for _, addr := range inside {
		for _, found := range [][]string{{addr}, {"8.8.8.8", addr}, {addr, "2606:4700::1111"}} {
			s := watched(t, Config{Resolver: names{"shop.example.com": found}})
			require.NoError(t, s.CheckURL("url", "https://shop.example.com/"))
			r, err := s.Send(t.Context(), one(t, s, "https://shop.example.com/"))
			require.NoError(t, err)
			assert.Equal(t, delivery.Refused, r.Outcome, "%q", found)
			assert.Equal(t, "address_refused", r.Reason)
		}
		s := watched(t, Config{})
		ip := netip.MustParseAddr(addr)
		network := map[bool]string{true: "tcp4", false: "tcp6"}[ip.Is4()]
		require.ErrorIs(t, s.control(network, netip.AddrPortFrom(ip, 443).String(), nil), errAddressRefused, addr)
	}
}

func TestPublicAddressesPass(t *testing.T) {
	t.Parallel()
	s := watched(t, Config{})
	for _, addr := range outside {
		ip := netip.MustParseAddr(addr)
		require.NoError(t, s.judge(ip), addr)
		to, network := netip.AddrPortFrom(ip, 443).String(), map[bool]string{true: "tcp4", false: "tcp6"}[ip.Is4()]
		require.NoError(t, s.control(network, to, nil))
		require.Error(t, s.control("udp4", to, nil))
		require.Error(t, s.control("unix", to, nil))
		require.Error(t, s.control(network, netip.AddrPortFrom(ip, 80).String(), nil))
	}
	for _, raw := range []string{"https://shop.example.com", "https://shop.example.com/", "https://Shop.Example.COM:443/hook?a=b&c=%20", "HTTPS://shop.example.com/",
		"https://xn--bcher-kva.example/", "https://8.8.8.8/hook", "https://[2606:4700::1111]/", "https://a.co/x/../y", "https://1password.com/", "https://0x.example.com/",
		"https://127.0.0.1.nip.io/", "https://a-b--c.example.com/"} {
		require.NoError(t, s.CheckURL("url", raw), raw)
	}
}

func TestWhatAnOperatorOpensAndCloses(t *testing.T) {
	t.Parallel()
	s := watched(t, Config{AllowNetworks: prefixes("10.0.0.0/8", "169.254.0.0/16", "fd00::/8"), DenyNetworks: prefixes("10.9.0.0/16", "8.8.8.0/24"),
		Ports: []uint16{443, 8443}, AllowPlaintext: true})
	for addr, open := range map[string]bool{"10.0.0.1": true, "10.9.0.1": false, "8.8.8.8": false, "8.8.4.4": true, "fd00::1": true, "127.0.0.1": false,
		"169.254.1.1": true, "169.254.169.254": false, "fd00:ec2::254": false} {
		assert.Equal(t, open, s.judge(netip.MustParseAddr(addr)) == nil, addr)
	}
	require.NoError(t, s.CheckURL("url", "http://10.0.0.1:8443/"))
	require.NoError(t, s.CheckURL("url", "https://shop.internal/"))
	require.NoError(t, s.CheckURL("url", "https://shop:8443/"))
	assert.True(t, fault.Is(s.CheckURL("url", "http://10.0.0.1/"), fault.KindInvalid, "url_port"), "port 80 isn't among them")
	for _, c := range []Config{{Timeout: -1}, {ConnectTimeout: 1 << 40}, {AllowNetworks: []netip.Prefix{{}}}, {DenyNetworks: prefixes("::ffff:10.0.0.0/104")}} {
		_, err := New(c)
		assert.True(t, fault.Is(err, fault.KindInvalid, "webhook_config"), c)
	}
}

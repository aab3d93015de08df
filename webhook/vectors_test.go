package webhook

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// hostile are URLs that no endpoint may have, by the code of the refusal. The API's tests read them, too.
var hostile = func() (list map[string][]string) {
	raw, err := os.ReadFile("testdata/hostile.json")
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		panic(err)
	}
	return list
}()

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

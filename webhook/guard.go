package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Resolver is what the guard needs of a net.Resolver.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// never are addresses that no setting opens, since what answers there hands out credentials of the machine: the
// metadata services of AWS, Azure, Google, Alibaba, Oracle and others. Azure's is a public address by its look.
var never = prefixes("169.254.169.254/32", "169.254.170.2/32", "fd00:ec2::/32", "fd20:ce::/32", "168.63.129.16/32",
	"100.100.100.200/32", "192.0.0.192/32")

// alsoDenied are networks inside the public range that the registry of special addresses, which ssrf follows, leaves open.
var alsoDenied = prefixes("3ffe::/16") // the 6bone, given back (RFC 3701)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

// stop is an error of the dialer with the reason that a Result gives. It names no address: a merchant that reads it
// must not learn what our network looks like.
type stop struct {
	reason string
	cause  error
}

func (s *stop) Error() string { return "webhook: " + s.reason }
func (s *stop) Unwrap() error { return s.cause }

const addressRefused = "address_refused"

var errAddressRefused = &stop{reason: addressRefused}

func newGuardian(ports []uint16) *ssrf.Guardian {
	return ssrf.New(ssrf.WithPorts(ports...), ssrf.WithNetworks("tcp4", "tcp6"), ssrf.WithDeniedV6Prefixes(alsoDenied...))
}

// judge says whether an address may be dialled. ssrf knows IANA's registries of special addresses: this network,
// loopback, private, shared, link-local, documentation, benchmarks, multicast and reserved ones; of IPv6 only global
// unicast passes, without Teredo, ORCHID, 6to4 and documentation, so that mapped, compatible, translated (NAT64),
// unique local, site-local and link-local ones fall. What it lacks is added here.
func (s *Sender) judge(addr netip.Addr) error {
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	if !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() || slices.ContainsFunc(never, in) || slices.ContainsFunc(s.c.DenyNetworks, in) {
		return errAddressRefused
	}
	if slices.ContainsFunc(s.c.AllowNetworks, in) {
		return nil
	}
	if isatap(addr) || s.guardian.SafeAddr(addr) != nil {
		return errAddressRefused
	}
	return nil
}

// isatap reports whether an IPv6 address is a tunnel to the IPv4 address in its end (RFC 5214): a public prefix whose
// inside may be private.
func isatap(addr netip.Addr) bool {
	b := addr.As16()
	return addr.Is6() && b[8]&^0x03 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// resolve returns the addresses to dial. One that may not be dialled refuses the name with all its addresses: a name
// that leads both out and in is on no honest errand. A look-up isn't repeated between judging and dialling.
func (s *Sender) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, s.judge(addr)
	}
	// The dot keeps the search list of our own network out.
	found, err := s.c.Resolver.LookupNetIP(ctx, "ip", host+".")
	if err != nil || len(found) == 0 {
		return nil, &stop{reason: "dns_failed", cause: err}
	}
	for i, addr := range found {
		found[i] = addr.Unmap() // resolvers may give an A record in this form
		if err := s.judge(found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// dialled is how many of a name's addresses are tried.
const dialled = 4

// dial connects to a judged address of host:port. It is the transport's only way to a connection. Its time is bounded
// here, since the transport goes on dialling for the next try when this one's time is over.
func (s *Sender) dial(ctx context.Context, _, hostPort string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, errAddressRefused
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || !slices.Contains(s.c.Ports, uint16(port)) {
		return nil, errAddressRefused
	}
	addrs, err := s.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var last error
	for _, addr := range addrs[:min(len(addrs), dialled)] {
		network := "tcp6"
		if addr.Is4() {
			network = "tcp4"
		}
		conn, err := s.connect(ctx, network, netip.AddrPortFrom(addr, uint16(port)))
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, errAddressRefused) {
			return nil, err
		}
		if last = err; ctx.Err() != nil {
			break
		}
	}
	return nil, &stop{reason: "connect_failed", cause: last}
}

// newConnect returns the function that opens a connection to exactly this address. Control looks once more, at what
// the kernel is about to be asked for.
func (s *Sender) newConnect() func(context.Context, string, netip.AddrPort) (net.Conn, error) {
	d := &net.Dialer{Timeout: s.c.ConnectTimeout, KeepAlive: 15 * time.Second, Control: s.control}
	return func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
		return d.DialContext(ctx, network, to.String())
	}
}

func (s *Sender) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !slices.Contains(s.c.Ports, to.Port()) {
		return errAddressRefused
	}
	return s.judge(to.Addr())
}

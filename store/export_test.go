package store

import (
	"context"
	"net"
)

// SetDial replaces the network, for tests that cut connections.
func (c *Config) SetDial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	c.dial = dial
}

// SQLClaimEvents is for tests of how it is planned.
const SQLClaimEvents = sqlClaimEvents

// SQLVestedPage is for tests of how it is planned.
var SQLVestedPage = positional(sqlVestedPage, "book book 'test'", "campaign text 'cmp_1'", "date date '2026-06-01'", "user text 'usr_05000'",
	"after text ''", "limit bigint 200")

// SQLEventsDelivered is for tests of how it is planned.
const SQLEventsDelivered = sqlEventsDelivered

// SQLOrderFile and SQLRebatesOfOrder are for tests of how they are planned.
const (
	SQLOrderFile      = sqlOrderFile
	SQLRebatesOfOrder = sqlRebatesOfOrder
)

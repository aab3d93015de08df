// Package notices holds, as tests on real parts, that people are told: the outbox, PostgreSQL, a mail server and carriers over their
// own protocols.
package notices

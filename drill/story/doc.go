// Package story holds the rebates' whole story on devstack, as tests.
package story

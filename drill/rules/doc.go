// Package rules holds routing and risk on real parts, as tests.
package rules

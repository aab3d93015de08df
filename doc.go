// Package paysaga is the root of the house; only the test of who may import whom stands here (layers_test.go).
package paysaga

// Package client calls paysaga's API from Go. Everything in it but this page is generated from ../openapi.yaml; it keeps
// no state and retries nothing. A call that got no answer is repeated under the same idempotency key.
package client

//go:generate go tool -modfile=../../tools.mod oapi-codegen -config client.codegen.yaml ../openapi.yaml

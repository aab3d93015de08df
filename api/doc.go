// Package api is paysaga's HTTP front: it says who is asking, judges what is asked, commits what was received and joins
// the saga that carries it on.
//
// A request goes through it in this order, and is refused at the first step that objects; nothing is stored before the
// last of them:
//
//	routes.go       which operations there are, their scope, whether they need an idempotency key
//	auth.go         who asks, and for which merchant
//	idempotency.go  the key, and the hash of the body
//	strict.go       the bytes of the body
//	intake.go       the fields, with a code and a param for each thing that can be wrong
//	schema.go       the body against openapi.yaml
//	payments.go, orders.go, callbacks.go   routing, commit, saga, answer
//	accounts.go, journals.go               the books, read only
//	campaigns.go, campaign_rules.go, campaign_simulate.go   what merchants promise to those who buy
//	webhooks.go, deliveries.go             where merchants are told of events, and what came of it
//	problem.go      the one table from fault kinds to HTTP
//
// openapi.yaml is the source: models and stubs (server.gen.go) and the Go client are generated from it, bodies are
// validated against it, and the tests hold routes, answers and the checks by hand against it.
package api

//go:generate go tool -modfile=../tools.mod oapi-codegen -config server.codegen.yaml openapi.yaml

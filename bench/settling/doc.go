// Package settling measures a rebate settlement: how many vested rebates a
// second a saga pays into wallets, beside what the ledger itself takes in on the
// same machine in the same run, and how much memory the worker needs. The book
// is judged afterwards: each rebate paid once, to the cent (I-22).
package settling

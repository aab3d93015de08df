// Package proof holds promises that are about many runs at once, as tests: that
// nobody is charged at a second channel while the first may still succeed, that
// forged callbacks change nothing, and that callbacks in any order end the
// same.
package proof

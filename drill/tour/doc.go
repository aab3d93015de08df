// Package tour pays through the fake of every channel, side by side, as a test: the same saga, the same book, other protocols.
package tour

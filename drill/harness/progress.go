// Package harness is what every campaign does the same way: it shows where it is, keeps what is finished, and says of what and
// where its result is.
package harness

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// Progress is one line on standard output that is written over while a campaign
// runs. On anything but a terminal only finished lines appear.
type Progress struct{ shown bool }

// Show replaces the line.
func (p *Progress) Show(text string) {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return
	}
	if line := []rune(text); len(line) >= width {
		text = string(line[:max(0, width-1)])
	}
	p.shown = true
	fmt.Printf("\r\x1b[K%s", text)
}

// Say prints a line that stays.
func (p *Progress) Say(text string) {
	if p.shown {
		fmt.Print("\r\x1b[K")
	}
	p.shown = false
	fmt.Println(text)
}

// Bar is how much of a whole is done, as a picture.
func Bar(done, of int) string {
	const width = 24
	text := make([]rune, width)
	for i := range text {
		if text[i] = '·'; i*of < done*width {
			text[i] = '█'
		}
	}
	return string(text)
}

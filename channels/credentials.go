package channels

import (
	"fmt"
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// CheckCredentials judges what an account of the channel is to be opened with in a book, before it is sealed: all that is
// required, nothing that the channel doesn't know (a misspelt name would be missed later), each value well-formed. The error
// is fault.Invalid "credentials_invalid"; it names credentials and quotes none (I-26).
func (d Description) CheckCredentials(given map[string]string, book id.Book) error {
	var faults, names []string
	for _, c := range d.Credentials {
		names = append(names, c.Name)
		value := given[c.Name]
		switch {
		case value == "" && c.Required:
			faults = append(faults, "lacks "+c.Name+": "+c.Help)
		case value != "" && c.Check != nil:
			if wrong := c.Check(value, book); wrong != "" {
				faults = append(faults, "has a wrong "+c.Name+": "+wrong)
			}
		}
	}
	strange := 0
	for name := range given {
		if !slices.Contains(names, name) {
			strange++ // its name may be a secret that stands in the wrong place
		}
	}
	if strange > 0 {
		faults = append(faults, fmt.Sprintf("has %d that %s doesn't know; it knows %s", strange, d.Name, strings.Join(names, ", ")))
	}
	if faults == nil {
		return nil
	}
	return fault.Invalid("credentials_invalid", "credentials", strings.Join(faults, "; "))
}

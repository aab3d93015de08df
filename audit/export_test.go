package audit

// Sentences are the names of all checks.
func Sentences() []string {
	var list []string
	for _, c := range checks {
		list = append(list, c.id+" "+c.sentence)
	}
	return list
}

package audit_test

import "maps"

// aUser is one of the shop's, of whom so much was told, and more.
func aUser(sequence, more string) string {
	return `INSERT INTO users (book, id, merchant_id, status, sequence, created_at)
		SELECT book, 'usr_1', merchant_id, 'active', ` + sequence + `, now() FROM payments LIMIT 1;` + more
}

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a user's event lost":              {"I-23", aUser("1", ``)},
		"a referrer of another merchant's": {"I-25", aUser("0", `INSERT INTO users (book, id, merchant_id, referrer_id, created_at) SELECT book, 'usr_2', 'mer_other', 'usr_1', now() FROM payments LIMIT 1`)},
		"an erased user's details": {"I-26", aUser("0", `UPDATE users SET status = 'erased' WHERE id = 'usr_1';
			INSERT INTO user_details SELECT book, id, '', now() FROM users WHERE id = 'usr_1'`)},
		"a profile in clear": {"I-26", aUser("0", `INSERT INTO user_profiles SELECT book, 'usr_1', convert_to('{"name":"and more than thirty bytes"}', 'UTF8'), now() FROM payments LIMIT 1`)},
	})
}

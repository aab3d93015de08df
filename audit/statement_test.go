package audit_test

import "maps"

// aStatement is an imported file of two lines, one of which had been there before.
func aStatement(more string) string {
	return `SELECT make_statement_month('2026-10-01');
		INSERT INTO statement_files (book, channel, channel_account, kind, name, sha256, bytes, status, lines, done, kept, first_day, last_day, created_at, updated_at)
		SELECT book, channel, id, 'moves', 'planted', decode(repeat('ab', 32), 'hex'), 100, 'imported', 2, 2, 1, '2026-10-02', '2026-10-02', now(), now()
		FROM channel_accounts LIMIT 1;
		INSERT INTO statement_sums SELECT book, no, 'CNY', 'charge', 2, 300, 3, 297, 1, 100, 1, 99 FROM statement_files;
		INSERT INTO statement_lines (book, channel_account, file_kind, day, identity, file, n, row, kind, detail, currency, gross, fee, net, reference, channel_id,
			original_id, batch)
		SELECT book, channel_account, kind, '2026-10-02', 'charge:1', no, 1, 2, 'charge', 'charge', 'CNY', 200, 2, 198, '', '1', '', '' FROM statement_files;` + more
}

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a statement's line lost":          {"I-24", aStatement(`DELETE FROM statement_lines`)},
		"a statement's line changed":       {"I-24", aStatement(`UPDATE statement_lines SET gross = gross + 1, net = net + 1`)},
		"a statement's line of two kinds":  {"I-24", aStatement(`UPDATE statement_lines SET kind = 'refund'`)},
		"a statement kept in part":         {"I-24", aStatement(`UPDATE statement_files SET lines = 3, done = 3`)},
		"a refused statement that is kept": {"I-24", aStatement(`UPDATE statement_files SET status = 'refused', reason = 'x'`)},
		"a line of no statement":           {"I-25", aStatement(`UPDATE statement_lines SET file = file + 1`)},
		"a line of another's statement":    {"I-25", aStatement(`UPDATE statement_lines SET channel_account = 'cha_other'`)},
	})
}

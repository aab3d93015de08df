-- +goose Up

-- What an account is never changes. So it is checked when it is opened, and not again with each of its balances: PostgreSQL holds
-- every CHECK of a row against every update of it, and two of these are regular expressions.
-- +goose StatementBegin
CREATE FUNCTION accounts_opened() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.code !~ '^[a-z0-9_]+(/[a-z0-9_]+)*$' THEN 'accounts_code_check'
        WHEN NEW.currency !~ '^[A-Z]{3}$' THEN 'accounts_currency_check'
        WHEN NEW.kind NOT IN ('asset', 'liability', 'income', 'expense', 'equity', 'memo') THEN 'accounts_kind_check'
        WHEN NEW.normal NOT IN ('debit', 'credit') THEN 'accounts_normal_check'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'no account can be opened as %', NEW.code USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER accounts_opened BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_opened();

-- For each statement, not for each row: it costs nothing where a balance moves.
CREATE TRIGGER accounts_stay BEFORE UPDATE OF no, book, id, code, currency, owner, kind, normal, opened_at ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

ALTER TABLE accounts
    DROP CONSTRAINT accounts_code_check,
    DROP CONSTRAINT accounts_currency_check,
    DROP CONSTRAINT accounts_kind_check,
    DROP CONSTRAINT accounts_normal_check;

-- +goose Up

-- What an account is never changes, so it is checked when it is written and not again with each of its balances: PostgreSQL holds
-- every constraint of a row against every update of it, but a type's only against what is assigned.
CREATE DOMAIN account_code AS text COLLATE "C" CONSTRAINT accounts_code_check CHECK (VALUE ~ '^[a-z0-9_]+(/[a-z0-9_]+)*$');
CREATE DOMAIN account_currency AS text COLLATE "C" CONSTRAINT accounts_currency_check CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN account_kind AS text CONSTRAINT accounts_kind_check CHECK (VALUE IN ('asset', 'liability', 'income', 'expense', 'equity', 'memo'));
CREATE DOMAIN account_side AS text CONSTRAINT accounts_normal_check CHECK (VALUE IN ('debit', 'credit'));
ALTER TABLE accounts
    DROP CONSTRAINT accounts_code_check,
    DROP CONSTRAINT accounts_currency_check,
    DROP CONSTRAINT accounts_kind_check,
    DROP CONSTRAINT accounts_normal_check,
    ALTER code TYPE account_code,
    ALTER currency TYPE account_currency,
    ALTER kind TYPE account_kind,
    ALTER normal TYPE account_side;

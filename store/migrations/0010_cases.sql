-- +goose Up

-- A case becomes a saga of its own: it knows which charge it is about, which policy it was opened under, who decided what, and
-- how its money goes back. Everything has a default, so that the binary before this one opens and closes cases as it did; what it
-- opens gets its saga too, under the kind's default policy.
ALTER TABLE cases
    ADD COLUMN attempt          smallint CHECK (attempt BETWEEN 1 AND 99),
    ADD COLUMN channel_id       text,                              -- the channel's own id of the charge in question
    ADD COLUMN effective_at     timestamptz,
    ADD COLUMN booked           boolean     NOT NULL DEFAULT false, -- its money is the merchant's; else it stands on suspense
    ADD COLUMN policy           text,                              -- NULL: the kind's default
    ADD COLUMN default_decision text,
    ADD COLUMN deadline         timestamptz,
    ADD COLUMN verified         boolean     NOT NULL DEFAULT false,
    ADD COLUMN decided_at       timestamptz,
    ADD COLUMN refund_id        text        COLLATE "C",
    ADD COLUMN parked           text,
    ADD COLUMN sequence         bigint      NOT NULL DEFAULT 1 CHECK (sequence >= 1),
    ADD COLUMN taken_at         timestamptz,                       -- its saga has taken it over
    ADD COLUMN start_due_at     timestamptz DEFAULT now(),         -- the relay's queue: NULL once it was taken
    ADD COLUMN start_tries      smallint    NOT NULL DEFAULT 0;

-- A return is decided before it is done: it closes when its refund has succeeded. What the binary before this one closes has no
-- decided_at, so the state is read off the columns that both write.
ALTER TABLE cases DROP CONSTRAINT cases_check;
ALTER TABLE cases
    ADD COLUMN state text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN closed_at IS NOT NULL THEN 'closed' WHEN decision IS NOT NULL THEN 'decided' ELSE 'open' END) STORED,
    ADD CONSTRAINT cases_decided CHECK (closed_at IS NULL OR decision IS NOT NULL);

-- Cases that stand: those that are settled need no saga. The attempt is in the id, save for an amount that differed: there it is the
-- one that succeeded.
UPDATE cases SET start_due_at = NULL WHERE closed_at IS NOT NULL;
UPDATE cases c SET attempt = substring(c.id FROM '/(?:cs|ct)([0-9]{1,2})$')::smallint
WHERE c.id ~ '/(cs|ct)[0-9]{1,2}$' AND c.payment_id IS NOT NULL;
UPDATE cases c SET attempt = a.ordinal, channel_id = a.channel_id, effective_at = a.effective_at
FROM attempts a
WHERE c.attempt IS NULL AND c.kind = 'amount_mismatch' AND a.book = c.book AND a.payment_id = c.payment_id AND a.verdict = 'succeeded';

CREATE INDEX cases_to_start ON cases (start_due_at) WHERE start_due_at IS NOT NULL;
CREATE INDEX cases_of_merchant ON cases (merchant_id, book, opened_at);
CREATE INDEX cases_listed ON cases (opened_at, id, book);

-- What becomes of a merchant's exceptions without a person: {"cases": {"late_success": {"do": "return"}, …}}. What isn't said is the
-- default of the kind.
ALTER TABLE merchants ADD COLUMN policies jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(policies) = 'object');

-- +goose Up
-- A payment may come from its customer's wallet, whole or in part: wallet is how much. It is set aside when the payment is received, is
-- taken with its success and given back with any other end.
--
-- The binary before this one knows one part, over a channel: it would charge the whole amount there, forget what was set aside, and give
-- everything back over the channel. So such a payment names in parts_seen the sequence that a binary which knows parts has left; one that
-- doesn't can neither open it nor move it, nor receive a refund of it. Its run parks, and goes on at an operator's nudge once newer
-- workers are there.
-- Payments without a wallet's part have parts_seen NULL and are everybody's.
ALTER TABLE payments
    ADD COLUMN wallet     bigint NOT NULL DEFAULT 0,
    ADD COLUMN parts_seen bigint,
    ADD CONSTRAINT payments_wallet CHECK (wallet BETWEEN 0 AND amount AND (wallet = 0 OR customer_id IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT payments_parts_seen CHECK (wallet = 0 OR opened_at IS NULL OR coalesce(parts_seen, 0) = sequence) NOT VALID;
-- NOT VALID: rows from before hold them by their defaults, and nobody waits while a large table is read.

-- refunding is kept of wallets' parts alone: what a payment has under way beyond it is of its part over a channel, as it always was.
-- matures_at, too: when a part that was taken with the last of several captures becomes available.
ALTER TABLE payment_parts
    ADD COLUMN refunding  bigint NOT NULL DEFAULT 0,
    ADD COLUMN matures_at timestamptz,
    ADD CONSTRAINT payment_parts_refunding CHECK (refunding >= 0 AND refunded + refunding <= captured AND (refunding = 0 OR source = 'wallet')) NOT VALID, -- I-12
    ADD CONSTRAINT payment_parts_matures CHECK (matures_at IS NULL OR source = 'wallet') NOT VALID;

-- wallet is what of a refund goes to the customer's wallet; the rest goes over the channel. A refund that goes there alone is of no charge.
ALTER TABLE refunds
    ADD COLUMN wallet    bigint  NOT NULL DEFAULT 0,
    ADD COLUMN user_id   text    COLLATE "C",            -- the payment's customer
    ADD COLUMN combined  boolean NOT NULL DEFAULT false, -- the payment has a part from that one's wallet
    ADD COLUMN to_wallet boolean NOT NULL DEFAULT false, -- an operator gave all of it to the wallet
    DROP CONSTRAINT refunds_charge_check,
    ADD CONSTRAINT refunds_charge CHECK (charge BETWEEN 1 AND 99 OR (charge = 0 AND wallet = amount)) NOT VALID,
    ADD CONSTRAINT refunds_wallet CHECK (wallet BETWEEN 0 AND amount AND (wallet = 0 OR (combined AND user_id IS NOT NULL))) NOT VALID,
    ADD CONSTRAINT refunds_to_wallet CHECK (NOT to_wallet OR (status = 'succeeded' AND user_id IS NOT NULL AND NOT paid_elsewhere)) NOT VALID;

-- Who closes a user asks whether a refund is on its way to the wallet.
CREATE INDEX refunds_to_wallets ON refunds (user_id, book) WHERE status = 'processing' AND wallet > 0;

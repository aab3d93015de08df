-- +goose Up

-- Who closes a user asks whether a refund is under way that was taken out of the wallet: one that fails is there again.
CREATE INDEX refunds_out_of_wallets ON refunds (user_id, book) WHERE status = 'processing' AND taken_wallet > 0;

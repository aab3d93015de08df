-- +goose Up

-- A channel that tells of a dispute may know nothing of our reference, only its own id of the charge. An older binary doesn't ask.
CREATE INDEX attempts_of_channel ON attempts (channel_id, channel_account, book) WHERE channel_id IS NOT NULL;

-- What channels have taken back of an order: the sum over its payments. A trigger keeps it, since an older binary beside this one moves
-- payments and doesn't know of it.
ALTER TABLE orders ADD COLUMN disputed bigint NOT NULL DEFAULT 0;
UPDATE orders o SET disputed = p.disputed
FROM (SELECT book, order_id, sum(disputed)::bigint AS disputed FROM payments WHERE disputed > 0 AND order_id <> '' GROUP BY book, order_id) p
WHERE o.book = p.book AND o.id = p.order_id;
ALTER TABLE orders ADD CONSTRAINT orders_disputed CHECK (disputed >= 0 AND refunded + disputed <= paid) NOT VALID; -- I-12

-- +goose StatementBegin
CREATE FUNCTION order_disputed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orders SET disputed = disputed + NEW.disputed - OLD.disputed WHERE book = NEW.book AND id = NEW.order_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER order_disputed AFTER UPDATE OF disputed ON payments
    FOR EACH ROW WHEN (NEW.disputed <> OLD.disputed AND NEW.order_id <> '') EXECUTE FUNCTION order_disputed();

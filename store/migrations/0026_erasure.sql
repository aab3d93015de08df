-- +goose Up

-- Of an erased user nothing personal is left, sealed or not: neither in what their payments and payouts were made of, nor in what channels
-- said of them. An application may not touch frozen requests (I-13) nor callbacks; it may, by these functions alone, once their user is
-- erased and only where the money has come to its end. What was sent stays proved by its hash. An old binary never calls them.
ALTER TABLE attempts ADD COLUMN request_erased_at timestamptz; -- what is personal was taken out of the request; the hash is of the whole

-- +goose StatementBegin
CREATE FUNCTION erase_request(of_book book, of_payment text, of_ordinal smallint, rest bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE attempts a SET request_sealed = rest, request_erased_at = now()
    FROM payments p JOIN users u ON u.book = p.book AND u.id = p.customer_id
    WHERE a.book = of_book AND a.payment_id = of_payment AND a.ordinal = of_ordinal AND p.book = a.book AND p.id = a.payment_id
        AND u.status = 'erased' AND p.status IN ('succeeded', 'failed', 'canceled', 'expired');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the request of a payment stays' USING ERRCODE = 'check_violation', CONSTRAINT = 'attempts_frozen'; -- I-13
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION erase_callbacks(of_book book, of_user text, nothing bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE n bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM users WHERE book = of_book AND id = of_user AND status = 'erased') THEN
        RAISE EXCEPTION 'the words of channels stay' USING ERRCODE = 'check_violation', CONSTRAINT = 'callbacks_kept';
    END IF;
    UPDATE callbacks c SET body_sealed = nothing
    FROM (
        SELECT id FROM payments WHERE customer_id = of_user AND book = of_book
        UNION ALL SELECT r.id FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.book = p.book WHERE p.customer_id = of_user AND p.book = of_book
        UNION ALL SELECT id FROM payouts WHERE user_id = of_user AND book = of_book) o
    WHERE c.business_id = o.id AND c.book = of_book AND c.disposition IS NOT NULL;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION erase_request(book, text, smallint, bytea), erase_callbacks(book, text, bytea) FROM PUBLIC;

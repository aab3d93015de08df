-- +goose Up

-- An order's content is written once; only the sums, the status and the sequence move. paid may exceed total: a duplicate
-- payment is money that came, and is booked before anybody decides about it.
CREATE TABLE orders (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    reference   text        COLLATE "C" NOT NULL,
    type        text        NOT NULL,
    currency    text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total       bigint      NOT NULL CHECK (total > 0),
    authorized  bigint      NOT NULL DEFAULT 0 CHECK (authorized >= 0),
    paid        bigint      NOT NULL DEFAULT 0 CHECK (paid >= 0),
    refunded    bigint      NOT NULL DEFAULT 0,
    status      text        NOT NULL,
    sequence    bigint      NOT NULL CHECK (sequence >= 1),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    CONSTRAINT orders_reference UNIQUE (merchant_id, reference, book),
    CONSTRAINT orders_refunded CHECK (refunded BETWEEN 0 AND paid), -- I-12
    CONSTRAINT orders_status CHECK (CASE status                     -- I-16
        WHEN 'open' THEN paid = 0
        WHEN 'partially_paid' THEN paid > 0 AND paid < total AND refunded = 0
        WHEN 'paid' THEN paid >= total
        WHEN 'partially_refunded' THEN refunded > 0 AND refunded < paid
        WHEN 'refunded' THEN paid > 0 AND refunded = paid
        ELSE status = 'closed' END)
) WITH (fillfactor = 80);

CREATE TABLE order_lines (
    book        book     NOT NULL,
    order_id    text     COLLATE "C" NOT NULL,
    line        smallint NOT NULL CHECK (line >= 1),
    sku         text     NOT NULL,
    description text     NOT NULL,
    quantity    bigint   NOT NULL CHECK (quantity >= 1),
    unit_price  bigint   NOT NULL CHECK (unit_price >= 0),
    discount    bigint   NOT NULL CHECK (discount >= 0),
    tax         bigint   NOT NULL CHECK (tax >= 0),
    PRIMARY KEY (book, order_id, line)
);

CREATE TABLE order_adjustments (
    book     book     NOT NULL,
    order_id text     COLLATE "C" NOT NULL,
    line     smallint NOT NULL CHECK (line >= 1),
    type     text     NOT NULL,
    amount   bigint   NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (book, order_id, line)
);

-- SQL that SQLite and PostgreSQL read alike. Ids are the service's own, so that an insert can be repeated; times are milliseconds of the
-- Unix epoch.
CREATE TABLE orders (
    id TEXT NOT NULL PRIMARY KEY,
    item TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    status TEXT NOT NULL,
    placed_at BIGINT NOT NULL
);

CREATE INDEX orders_by_status ON orders (status, placed_at);

CREATE TABLE signups (
    id TEXT NOT NULL PRIMARY KEY,
    plan_type TEXT NOT NULL,
    signed_up_at BIGINT NOT NULL
);

CREATE TABLE invoices (
    id TEXT NOT NULL PRIMARY KEY,
    amount_cents BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    issued_at BIGINT NOT NULL
);

CREATE TABLE payments (
    id TEXT NOT NULL PRIMARY KEY,
    amount_cents BIGINT NOT NULL,
    currency TEXT NOT NULL,
    product_type TEXT NOT NULL,
    reference TEXT NOT NULL,
    paid_at BIGINT NOT NULL
);

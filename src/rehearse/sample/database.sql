-- A small shop: what `fix7-ledger demo` rehearses on. Every value is computed, so that the file is the same each time.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 0x46495837;
PRAGMA user_version = 12;
BEGIN;
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    country TEXT NOT NULL DEFAULT 'DE',
    created_at TEXT NOT NULL
);
CREATE TABLE products (
    sku TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    gross_cents INTEGER GENERATED ALWAYS AS (price_cents + price_cents * 19 / 100) STORED
) WITHOUT ROWID;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
    placed_at TEXT NOT NULL,
    note TEXT
);
CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    sku TEXT NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL,
    weight REAL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE audit (at TEXT NOT NULL, what TEXT NOT NULL, payload BLOB);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE INDEX open_orders ON orders (placed_at) WHERE status = 'open';
CREATE VIEW revenue AS
    SELECT o.id AS order_id, sum(l.quantity * p.price_cents) AS cents
    FROM orders AS o JOIN order_lines AS l ON l.order_id = o.id JOIN products AS p ON p.sku = l.sku
    GROUP BY o.id;
CREATE TRIGGER orders_audit AFTER UPDATE OF status ON orders BEGIN
    INSERT INTO audit VALUES (new.placed_at, 'order ' || new.id || ': ' || old.status || ' -> ' || new.status, NULL);
END;
CREATE VIRTUAL TABLE search USING fts5 (title, content = '');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO customers SELECT i, printf('customer%04d@shop.example', i), printf('Customer %d', i),
        CASE i % 5 WHEN 0 THEN 'FR' WHEN 1 THEN 'VN' ELSE 'DE' END, date('2024-01-01', '+' || (i % 700) || ' days') FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO products (sku, title, price_cents) SELECT printf('SKU-%05d', i * 7), printf('Article %d', i), i * 37 % 9000 + 99 FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
    INSERT INTO orders (customer_id, status, placed_at, note) SELECT i * 31 % 2000 + 1,
        CASE i % 7 WHEN 0 THEN 'open' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'paid' ELSE 'shipped' END,
        datetime('2025-01-01', '+' || (i * 47) || ' minutes'), CASE WHEN i % 11 = 0 THEN printf('gift wrap, card %d', i) END FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
    INSERT INTO order_lines SELECT i, 1, printf('SKU-%05d', (i % 500 + 1) * 7), i % 4 + 1, i % 90 / 10.0 FROM n;
INSERT INTO audit SELECT placed_at, 'imported', CAST(printf('row %d', id) AS BLOB) FROM orders WHERE id % 10 = 0;
INSERT INTO search (rowid, title) SELECT row_number() OVER (ORDER BY sku), title FROM products;
COMMIT;

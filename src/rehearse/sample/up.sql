-- Delivery windows: a new table, a column on orders, and a backfill of the open ones.
CREATE TABLE delivery_windows (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,
    starts TEXT NOT NULL,
    ends TEXT NOT NULL
);
INSERT INTO delivery_windows (id, label, starts, ends) VALUES
    (1, 'morning', '08:00', '12:00'),
    (2, 'afternoon', '12:00', '17:00'),
    (3, 'evening', '17:00', '21:00');
ALTER TABLE orders ADD COLUMN delivery_window INTEGER REFERENCES delivery_windows (id);
UPDATE orders SET delivery_window = id % 3 + 1 WHERE status = 'open';
CREATE INDEX orders_by_window ON orders (delivery_window) WHERE delivery_window IS NOT NULL;

-- The way back: in the opposite order.
DROP INDEX orders_by_window;
ALTER TABLE orders DROP COLUMN delivery_window;
DROP TABLE delivery_windows;

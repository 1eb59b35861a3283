-- While the shop is open: columns behind this one move up by one place.
ALTER TABLE shop.orders DROP COLUMN old_number;

-- While the shop is open: columns behind this one move up by one place. Its orders in progress are waited
-- for.
ALTER TABLE shop.orders DROP COLUMN old_number;

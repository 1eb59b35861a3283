-- An order is deleted, another one rewritten with a new note; a third change is thought better of.
BEGIN;
DELETE FROM shop.orders WHERE id = (SELECT floor(random() * last_value)::bigint + 1 FROM shop.orders_id_seq);
UPDATE shop.orders
  SET note = (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 100)), weight_kg = NULL
  WHERE id = (SELECT floor(random() * last_value)::bigint + 1 FROM shop.orders_id_seq);
SAVEPOINT s;
UPDATE shop.orders SET total = 0
  WHERE id = (SELECT floor(random() * last_value)::bigint + 1 FROM shop.orders_id_seq);
ROLLBACK TO s;
COMMIT;

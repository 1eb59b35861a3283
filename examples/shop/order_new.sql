-- A new order, with a long note in every fourth.
\set customer random(1, 1000)
\set cents random(100, 1000000)
\set long random(1, 4)
BEGIN;
UPDATE shop.customers SET balance = balance - :cents / 100.0 WHERE number = :customer;
INSERT INTO shop.orders (customer, total, weight_kg, items, note, tags)
  SELECT handle, :cents / 100.0, :cents / 3.0,
         jsonb_build_array(
           jsonb_build_object('sku', md5(:cents::text), 'count', :long, 'price', :cents / 100.0)),
         CASE WHEN :long = 1
           THEN (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 120)) END,
         ARRAY['web', NULL, 'no. ' || :long]
  FROM shop.customers WHERE number = :customer;
INSERT INTO shop.events (kind, payload)
  VALUES ('order', jsonb_build_object('customer', :customer, 'cents', :cents));
COMMIT;

-- What the shop begins with.
INSERT INTO shop.customers (handle, email, address)
  SELECT 'c' || i, 'c' || i || '@example.org',
         jsonb_build_object('city', 'City ' || i % 50, 'zip', lpad((i * 7 % 100000)::text, 5, '0'))
  FROM generate_series(1, 1000) i;
INSERT INTO shop.orders (customer, total, items, note)
  SELECT 'c' || 1 + i % 1000, i / 100.0, '[]',
         CASE WHEN i % 4 = 0
           THEN (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 120) j) END
  FROM generate_series(1, 4000) i;
INSERT INTO shop.events (kind, payload)
  SELECT 'view', jsonb_build_object('page', i) FROM generate_series(1, 50000) i;

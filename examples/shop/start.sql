-- What the shop begins with.
INSERT INTO shop.customers (handle, email, address)
  SELECT 'c' || i, 'c' || i || '@example.org',
         jsonb_build_object('city', 'City ' || i % 50, 'zip', lpad((i * 7 % 100000)::text, 5, '0'))
  FROM generate_series(1, 1000) i;

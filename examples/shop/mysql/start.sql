-- What the shop begins with.
USE shop;
SET SESSION cte_max_recursion_depth = 100000;
INSERT INTO shop.customers (handle, number, email, address)
  WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 1000)
  SELECT CONCAT('c', i), i, CONCAT('c', i, '@example.org'),
         JSON_OBJECT('city', CONCAT('City ', i % 50), 'zip', LPAD(i * 7 % 100000, 5, '0'))
  FROM r;
INSERT INTO shop.orders (customer, total, items, note)
  WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 4000)
  SELECT 1 + i % 1000, i / 100, JSON_ARRAY(JSON_OBJECT('sku', SHA2(i, 256), 'count', 1)),
         IF(i % 4 = 0, REPEAT(SHA2(i, 256), 60), NULL)
  FROM r;
INSERT INTO shop.events (kind, payload)
  WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 50000)
  SELECT 'view', JSON_OBJECT('page', i) FROM r;

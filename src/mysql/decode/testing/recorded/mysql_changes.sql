SET SESSION sql_mode = '';
CREATE TABLE zeros(id INT PRIMARY KEY, da DATE, dt DATETIME, ts TIMESTAMP NULL, e ENUM('a'), v VARCHAR(10));
INSERT INTO zeros VALUES(1, '0000-00-00', '0000-00-00', '0000-00-00', 'none', 'a'), (2, '2026-02-00',
  '2026-00-01', NULL, 'a', 'b');
CREATE TABLE items(id INT, part INT, name VARCHAR(20), note TEXT, j JSON, k JSON, n INT INVISIBLE DEFAULT 5,
  PRIMARY KEY(part, id));
INSERT INTO items(id, part, name, note, j, k) VALUES(1, 10, 'one', 'first',
  '{"a": {"b": 1}, "l": [1, 2, 3]}', '[1]'), (2, 10, 'two', NULL, NULL, '{}');
UPDATE items SET name = 'ONE' WHERE id = 1;
SET SESSION binlog_row_image = MINIMAL;
UPDATE items SET name = 'minimal' WHERE id = 1;
INSERT INTO items(id, part) VALUES(3, 30);
DELETE FROM items WHERE id = 3;
SET SESSION binlog_row_image = NOBLOB;
UPDATE items SET name = 'noblob' WHERE id = 1;
UPDATE items SET note = 'changed' WHERE id = 1;
SET SESSION binlog_row_image = FULL, SESSION binlog_row_value_options = PARTIAL_JSON;
UPDATE items SET j = JSON_SET(j, '$.a.b', 2, '$."new key"', 'v') WHERE id = 1;
UPDATE items SET j = JSON_REMOVE(j, '$.l[1]'), k = JSON_REPLACE(k, '$[0]', JSON_OBJECT('x',
  1.5)) WHERE id = 1;
UPDATE items SET k = JSON_ARRAY_INSERT(k, '$[0]', 'front') WHERE id = 1;
UPDATE items SET name = 'partial' WHERE id = 1;
SET SESSION binlog_row_value_options = '';
SET SESSION binlog_transaction_compression = ON;
BEGIN;
INSERT INTO items(id, part, name, note) VALUES(4, 40, REPEAT('z', 20), REPEAT('long ', 2000)), (5, 50,
  'five', 'x');
DELETE FROM items WHERE id = 4;
COMMIT;
SET SESSION binlog_transaction_compression = OFF;
ALTER TABLE items ADD COLUMN later INT;
INSERT INTO items(id, part, later) VALUES(6, 60, 66);
CREATE TABLE keyless(a INT, b VARCHAR(5));
INSERT INTO keyless VALUES(1, 'x');
UPDATE keyless SET b = 'y';
DELETE FROM keyless;

SET SESSION sql_mode = '';
CREATE TABLE zeros(id INT PRIMARY KEY, da DATE, dt DATETIME, ts TIMESTAMP NULL, e ENUM('a'), v VARCHAR(10));
INSERT INTO zeros VALUES(1, '0000-00-00', '0000-00-00', '0000-00-00', 'none', 'a'), (2, '2026-02-00',
  '2026-00-01', NULL, 'a', 'b');
CREATE TABLE items(id INT, part INT, name VARCHAR(20), note TEXT, PRIMARY KEY(part, id));
SET GLOBAL log_bin_compress = ON;
INSERT INTO items VALUES(1, 10, 'one', REPEAT('long ', 200)), (2, 10, 'two', NULL);
UPDATE items SET name = 'ONE' WHERE id = 1;
DELETE FROM items WHERE id = 1;
CREATE TABLE statements(id INT, column_number_1 INT, column_number_2 INT, column_number_3 INT,
  column_number_4 INT, column_number_5 INT, column_number_6 INT, column_number_7 INT, column_number_8 INT,
  column_number_9 INT, column_number_10 INT, column_number_11 INT, column_number_12 INT,
  column_number_13 INT, column_number_14 INT);
SET GLOBAL log_bin_compress = OFF;

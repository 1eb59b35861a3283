CREATE TABLE documents(id INT PRIMARY KEY, j JSON);
INSERT INTO documents VALUES
  (1, '{}'), (2, '[]'), (3, 'null'), (4, 'true'), (5, 'false'), (6, '"text"'), (7, '0'), (8, '-1'), (9,
    '32767'), (10, '-32768'),
  (11, '65535'), (12, '65536'), (13, '-2147483648'), (14, '4294967295'), (15, '9223372036854775807'), (16,
    '-9223372036854775808'),
  (17, '18446744073709551615'), (18, '18446744073709551616'), (19, '1.5'), (20, '0.1'), (21, '1e20'), (22,
    '1e15'), (23, '1e14'),
  (24, '123456789012345680000'), (25, '1e-7'), (26, '1.5e-15'), (27, '0.000001'), (28, '-0.0'), (29,
    '1.7976931348623157e308'), (30, '5e-324'),
  (31, '100.0'), (32, '123456.789'), (33,
    '{"b": 1, "a": [1, "x", null, {"k": [true, false]}], "": {}, "ab": 1.25}'),
  (34, JSON_QUOTE('q"\\/\b\f\n\r\té👍')), (35, '"\\u0001\\u001f\\u007f"'),
  (36, JSON_ARRAY(CAST('12.50' AS DECIMAL(10,2)), CAST('-0.001' AS DECIMAL(10,3)),
    CAST(-12345678901234567890.5 AS DECIMAL(40,5)), CAST(0 AS DECIMAL(5,2)), CAST('0.5' AS DECIMAL(5,5)))),
  (37, JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:34:56.789012' AS DATETIME(6)),
    CAST('-838:59:59' AS TIME), CAST('12:34:56.5' AS TIME(1)), TIMESTAMP '2020-01-01 00:00:00')),
  (38, JSON_OBJECT('bin', CAST(x'00ff01' AS BINARY), 'bit', b'101')), (39,
    '[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]'),
  (40, '{"i16": 1, "i32": 100000, "u32": 3000000000, "u16": 40000}'), (41, NULL),
  (42, CONCAT('["', REPEAT('x', 127), '"]')), (43, CONCAT('["', REPEAT('y', 128), '"]')), (44, CONCAT('["',
    REPEAT('z', 17000), '"]')),
  (45, CONCAT('{"large": ["', REPEAT('w', 66000),
    '", 100000, -100000, 3000000000, 1, "s", [1, {"k": null}]]}'));
INSERT INTO documents VALUES
  (46, '[1269666511981755.8, -4215532136902342.5, 1234567890123456e0, 12345678901234567e0, 1.5e15, 1.5e-16]'),
  (47, '[0.00000000000000123456789, 1.2345678901234567e-15, -1.2345678901234567e-16, 123456789012345.25]');
-- select documents:SELECT id, j FROM documents ORDER BY id
CREATE TABLE vectors(id INT PRIMARY KEY, v VECTOR(3), w VECTOR);
INSERT INTO vectors VALUES(1, STRING_TO_VECTOR('[1,-2.5,3e10]'), STRING_TO_VECTOR('[1]')), (2, NULL, NULL);
-- select vectors:SELECT id, HEX(v), HEX(w) FROM vectors ORDER BY id

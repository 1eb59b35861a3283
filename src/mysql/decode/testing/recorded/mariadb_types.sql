CREATE TABLE documents(id INT PRIMARY KEY, j JSON);
INSERT INTO documents VALUES(1, '{"a":[1,2.5,"x",null,true]}'), (2, NULL);
-- select documents:SELECT id, j FROM documents ORDER BY id

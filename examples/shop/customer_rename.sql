-- A key changes, and with it the rows that refer to it.
\set customer random(1, 1000)
\set serial random(1, 1000000000)
UPDATE shop.customers SET handle = 'c' || number || '.' || :serial WHERE number = :customer;

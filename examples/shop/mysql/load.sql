-- What goes on in the shop, as procedures; audit.work is one client.
USE audit;
DELIMITER //

-- A new order, with a long note in every fourth.
CREATE PROCEDURE audit.order_new()
BEGIN
  DECLARE who BIGINT DEFAULT FLOOR(1 + RAND() * 1000);
  DECLARE cents INT DEFAULT FLOOR(100 + RAND() * 1000000);
  START TRANSACTION;
  UPDATE shop.customers SET balance = balance - cents / 100 WHERE number = who;
  INSERT INTO shop.orders (customer, total, weight_kg, items, note, tags)
    VALUES (who, cents / 100, cents / 3e0,
            JSON_ARRAY(JSON_OBJECT('sku', SHA2(cents, 256), 'count', 1 + cents % 4, 'price', cents / 100)),
            IF(cents % 4 = 1, REPEAT(SHA2(RAND(), 256), 60), NULL), IF(cents % 2, 'web', 'web,gift'));
  INSERT INTO shop.events (kind, payload) VALUES ('order', JSON_OBJECT('customer', who, 'cents', cents));
  COMMIT;
END //

-- A recent order changes its state; one of its items changes within its document.
CREATE PROCEDURE audit.order_pay(last BIGINT)
BEGIN
  DECLARE picked BIGINT DEFAULT FLOOR(1 + RAND() * last);
  UPDATE shop.orders SET status = ELT(LEAST(status + 0, 3) + 1, 'new', 'paid', 'sent', 'done'),
                         items = JSON_SET(items, '$[0].count', FLOOR(RAND() * 10)), changed_at = SYSDATE(6)
    WHERE id = picked;
END //

-- An order is deleted, another one rewritten with a new note; a third change is thought better of.
CREATE PROCEDURE audit.order_delete(last BIGINT)
BEGIN
  DECLARE gone BIGINT DEFAULT FLOOR(1 + RAND() * last);
  DECLARE rewritten BIGINT DEFAULT FLOOR(1 + RAND() * last);
  DECLARE kept BIGINT DEFAULT FLOOR(1 + RAND() * last);
  START TRANSACTION;
  DELETE FROM shop.orders WHERE id = gone;
  UPDATE shop.orders SET note = REPEAT(SHA2(RAND(), 256), 50), weight_kg = NULL WHERE id = rewritten;
  SAVEPOINT s;
  UPDATE shop.orders SET total = 0 WHERE id = kept;
  ROLLBACK TO SAVEPOINT s;
  COMMIT;
END //

-- A key changes.
CREATE PROCEDURE audit.customer_rename()
BEGIN
  DECLARE who BIGINT DEFAULT FLOOR(1 + RAND() * 1000);
  UPDATE shop.customers SET handle = CONCAT('c', number, '.', FLOOR(RAND() * 1000000000)) WHERE number = who;
END //

-- Many rows at once; sometimes for nothing.
CREATE PROCEDURE audit.event_batch(many INT)
BEGIN
  START TRANSACTION;
  INSERT INTO shop.events (kind, payload)
    WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < many)
    SELECT 'view', JSON_OBJECT('page', i, 'ms', RAND() * 1000) FROM r;
  IF RAND() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
END //

-- Deadlocks, and tables that changed under a transaction, are tried again as something else.
CREATE PROCEDURE audit.step(last BIGINT, choice DOUBLE)
BEGIN
  DECLARE EXIT HANDLER FOR 1205, 1213, 1412 ROLLBACK;
  IF choice < 0.41 THEN CALL audit.order_new();
  ELSEIF choice < 0.74 THEN CALL audit.order_pay(last);
  ELSEIF choice < 0.86 THEN CALL audit.order_delete(last);
  ELSEIF choice < 0.91 THEN CALL audit.customer_rename();
  ELSEIF choice < 0.99 THEN CALL audit.event_batch(40);
  ELSE CALL audit.event_batch(500);
  END IF;
END //

CREATE PROCEDURE audit.work(seconds DOUBLE)
BEGIN
  DECLARE finish DATETIME(6) DEFAULT SYSDATE(6) + INTERVAL seconds SECOND;
  DECLARE last BIGINT;
  DECLARE steps BIGINT DEFAULT 0;
  WHILE SYSDATE(6) < finish DO
    SELECT MAX(id) INTO last FROM shop.orders;
    CALL audit.step(last, RAND());
    SET steps = steps + 1;
  END WHILE;
  SELECT steps;
END //

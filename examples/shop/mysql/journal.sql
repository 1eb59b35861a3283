-- For checking only: every change of a row is written down a second time by a trigger, so that a change that
-- was lost or came twice is found even where the final state hides it. The journal is not captured.
CREATE DATABASE audit;
CREATE TABLE audit.journal (
  number BIGINT AUTO_INCREMENT PRIMARY KEY, tbl VARCHAR(80), op VARCHAR(10), row_key VARCHAR(80)
);

USE shop;
CREATE TRIGGER customers_insert AFTER INSERT ON shop.customers FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.customers', 'insert', NEW.handle);
CREATE TRIGGER customers_update AFTER UPDATE ON shop.customers FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.customers', 'update', NEW.handle);
CREATE TRIGGER orders_insert AFTER INSERT ON shop.orders FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.orders', 'insert', NEW.id);
CREATE TRIGGER orders_update AFTER UPDATE ON shop.orders FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.orders', 'update', NEW.id);
CREATE TRIGGER orders_delete AFTER DELETE ON shop.orders FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.orders', 'delete', OLD.id);
CREATE TRIGGER events_insert AFTER INSERT ON shop.events FOR EACH ROW
  INSERT INTO audit.journal (tbl, op, row_key) VALUES ('shop.events', 'insert', NEW.id);

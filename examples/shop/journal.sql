-- For checking only: every change of a row is written down a second time by a trigger, so that a change that
-- was lost or came twice is found even where the final state hides it. The journal is not captured.
CREATE SCHEMA audit;
CREATE TABLE audit.journal (tbl text, op text, xid bigint, key text);

CREATE FUNCTION audit.write_down() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  key text;
BEGIN
  EXECUTE format('SELECT ($1).%I::text', TG_ARGV[0]) INTO key
    USING CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  INSERT INTO audit.journal
    VALUES (TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, lower(TG_OP), pg_current_xact_id()::text::bigint, key);
  RETURN NULL;
END $$;

CREATE TRIGGER journal AFTER INSERT OR UPDATE OR DELETE ON shop.customers
  FOR EACH ROW EXECUTE FUNCTION audit.write_down('handle');
CREATE TRIGGER journal AFTER INSERT OR UPDATE OR DELETE ON shop.orders
  FOR EACH ROW EXECUTE FUNCTION audit.write_down('id');
CREATE TRIGGER journal AFTER INSERT OR UPDATE OR DELETE ON shop.events
  FOR EACH ROW EXECUTE FUNCTION audit.write_down('id');

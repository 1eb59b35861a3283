-- Many rows at once; sometimes for nothing.
\set undo random(1, 10)
BEGIN;
INSERT INTO shop.events (kind, payload)
  SELECT 'view', jsonb_build_object('page', i, 'ms', random() * 1000) FROM generate_series(1, 40) i;
\if :undo = 1
ROLLBACK;
\else
COMMIT;
\endif

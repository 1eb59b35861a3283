-- A small shop. Customers are keyed by a name that they may change; orders follow by ON UPDATE CASCADE.
CREATE SCHEMA shop;

CREATE TABLE shop.customers (
  handle text PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  email text NOT NULL,
  address jsonb,
  balance numeric(12, 2) NOT NULL DEFAULT 0,
  joined_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  old_number int DEFAULT 0,  -- dropped in mid-stream
  customer text REFERENCES shop.customers ON UPDATE CASCADE ON DELETE SET NULL,
  status text NOT NULL DEFAULT 'new',
  total numeric(12, 2) NOT NULL,
  weight_kg double precision,
  items jsonb NOT NULL,
  -- Long in every fourth order: stored apart (TOAST), and not part of the WAL of an update that leaves it
  -- alone.
  note text,
  tags text[],
  placed_on date NOT NULL DEFAULT current_date,
  changed_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE shop.orders ALTER COLUMN note SET STORAGE EXTERNAL;
CREATE INDEX ON shop.orders (customer);

CREATE TABLE shop.events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  visitor uuid NOT NULL DEFAULT gen_random_uuid(),
  kind text NOT NULL,
  payload jsonb,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

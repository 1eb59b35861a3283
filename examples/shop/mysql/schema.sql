-- A small shop. Customers are keyed by a name that they may change.
CREATE DATABASE shop;

CREATE TABLE shop.customers (
  handle VARCHAR(40) PRIMARY KEY,
  number BIGINT UNSIGNED NOT NULL UNIQUE,
  email VARCHAR(80) NOT NULL,
  address JSON,
  balance DECIMAL(12, 2) NOT NULL DEFAULT 0,
  joined_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

CREATE TABLE shop.orders (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  old_number INT DEFAULT 0,  -- dropped in mid-stream
  customer BIGINT UNSIGNED REFERENCES shop.customers (number),
  status ENUM ('new', 'paid', 'sent', 'done') NOT NULL DEFAULT 'new',
  total DECIMAL(12, 2) NOT NULL,
  weight_kg DOUBLE,
  items JSON NOT NULL,
  note TEXT,  -- long in every fourth order
  tags SET ('web', 'gift', 'express') NOT NULL DEFAULT '',
  placed_on DATE NOT NULL DEFAULT (CURRENT_DATE),
  changed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

CREATE TABLE shop.events (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  visitor BINARY(16) NOT NULL DEFAULT (UUID_TO_BIN(UUID())),
  kind VARCHAR(20) NOT NULL,
  payload JSON,
  at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

-- +goose Up

-- Codes by which people of the console set a new password. One that was used is gone.
CREATE TABLE recovery_codes (
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  hash      bytea NOT NULL,  -- SHA-256
  made_at   timestamptz NOT NULL,
  PRIMARY KEY (person_id, hash)
);

-- +goose Down
SELECT 1;

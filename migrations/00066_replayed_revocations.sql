-- +goose Up

-- Revocations that a database of an older day had forgotten, and that were carried out again from the journal of the data folder.
CREATE TABLE replayed_revocations (
  audit_id    bigint NOT NULL,
  at          timestamptz NOT NULL,
  tenant_id   text NOT NULL,
  action      text NOT NULL,
  object      text NOT NULL,
  replayed_at timestamptz NOT NULL,
  PRIMARY KEY (audit_id, at)
);

-- +goose Down
SELECT 1;

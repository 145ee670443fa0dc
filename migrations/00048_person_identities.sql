-- +goose Up

-- Whom the operator's login provider means by which person of the console.
CREATE TABLE person_identities (
  issuer    text NOT NULL,
  subject   text NOT NULL,
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  linked_at timestamptz NOT NULL,
  PRIMARY KEY (issuer, subject),
  UNIQUE (person_id, issuer)
);
CREATE INDEX links_person ON links (person_id) WHERE used_at IS NULL;

-- +goose Down
SELECT 1;

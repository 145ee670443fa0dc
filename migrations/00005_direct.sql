-- +goose Up

-- Credentials of several kinds: 'creds' is a user of AUTH whom the callout lets in, 'service' a
-- user of the tenant's own account whom the servers let in without asking.
ALTER TABLE credentials
  ADD COLUMN kind text NOT NULL DEFAULT 'creds',
  ADD COLUMN key_id text REFERENCES keys ON DELETE CASCADE;  -- of the tenant's key that it came with
-- What an account's claims name one by one.
CREATE INDEX credentials_direct ON credentials (tenant_id) WHERE kind <> 'creds';
CREATE INDEX credentials_key ON credentials (key_id) WHERE key_id IS NOT NULL;

-- +goose Down
SELECT 1;

-- +goose Up

-- API keys become one kind of a tenant's keys. Code of before goes on reading and writing
-- api_keys, which is now what it may see of them.
ALTER TABLE api_keys RENAME TO keys;
ALTER INDEX api_keys_pkey RENAME TO keys_pkey;
ALTER INDEX api_keys_tenant RENAME TO keys_tenant;
ALTER TABLE keys RENAME COLUMN revoked_at TO removed_at;  -- the row stays, so that what it let in is refused with the reason
ALTER TABLE keys ALTER COLUMN hash DROP NOT NULL;         -- of API keys alone, as scopes
ALTER TABLE keys ALTER COLUMN scopes SET DEFAULT '{}';
ALTER TABLE keys
  ADD COLUMN kind text NOT NULL DEFAULT 'api',
  ADD COLUMN details jsonb NOT NULL DEFAULT '{}',         -- the fields of its kind
  ADD COLUMN last_used_at timestamptz,                    -- to the minute
  ADD CHECK ((kind = 'api') = (hash IS NOT NULL));

CREATE VIEW api_keys AS
  SELECT key_id, tenant_id, name, hash, scopes, created_at, removed_at AS revoked_at FROM keys WHERE kind = 'api';

-- +goose Down
SELECT 1;

-- +goose Up

-- Keys that sign NATS users for a tenant. One that was removed never comes back, or what it signed would too.
CREATE UNIQUE INDEX keys_nats_scoped_once ON keys ((details->>'public_key')) WHERE kind = 'nats-scoped';
CREATE INDEX keys_nats_scoped ON keys (tenant_id) WHERE kind = 'nats-scoped' AND removed_at IS NULL;

-- The nkeys that users had. A JWT that their tenant signed for such an nkey may still be about, and the
-- servers would let it in.
CREATE TABLE lost_nkeys (
  nkey      text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  user_id   text COLLATE "C" NOT NULL,
  lost_at   timestamptz NOT NULL
);
CREATE INDEX lost_nkeys_user ON lost_nkeys (tenant_id, user_id);

-- +goose StatementBegin
CREATE FUNCTION keep_lost_nkey() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lost_nkeys (nkey, tenant_id, user_id, lost_at) VALUES (OLD.nkey, OLD.tenant_id, OLD.user_id, clock_timestamp())
  ON CONFLICT (nkey) DO UPDATE SET tenant_id = excluded.tenant_id, user_id = excluded.user_id, lost_at = excluded.lost_at;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER users_lost_nkey AFTER UPDATE OF nkey ON users FOR EACH ROW
  WHEN (OLD.nkey <> '' AND NEW.nkey <> OLD.nkey) EXECUTE FUNCTION keep_lost_nkey();

-- +goose Down
SELECT 1;

-- +goose Up

-- Written by accounts: when each user was last known to be connected, to the minute while he is; idle_since by chat.
-- He counts as idle while no session of his began later.
CREATE TABLE presence (
  tenant_id  text NOT NULL,
  user_id    text COLLATE "C" NOT NULL,
  last_seen  timestamptz,
  idle_since timestamptz,
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);

-- Written by chat: what each tenant used on each day by UTC.
CREATE TABLE usage_days (
  tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  day         date NOT NULL,
  messages    bigint NOT NULL,  -- stored since the tenant began
  bytes       bigint NOT NULL,
  connections bigint NOT NULL,
  users       bigint NOT NULL,
  rooms       bigint NOT NULL,
  PRIMARY KEY (tenant_id, day)
);

-- +goose Down
SELECT 1;

-- +goose Up

-- The domain: written by tenant/pgstore.

CREATE TABLE tenants (
  tenant_id  text PRIMARY KEY,
  account    text NOT NULL UNIQUE,
  name       text NOT NULL,
  timezone   text NOT NULL,
  limits     jsonb NOT NULL DEFAULT '{}',
  status     text NOT NULL CHECK (status IN ('active', 'suspended', 'deleting')),
  created_at timestamptz NOT NULL
);

CREATE TABLE users (
  tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  user_id       text COLLATE "C" NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('person', 'service')),
  name          text NOT NULL,
  external_id   text NOT NULL DEFAULT '',
  status        text NOT NULL CHECK (status IN ('active', 'revoked', 'deleted')),
  reason        text NOT NULL DEFAULT '',
  password_hash text NOT NULL DEFAULT '',
  nkey          text NOT NULL DEFAULT '',
  created_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
);
CREATE UNIQUE INDEX users_external_id ON users (tenant_id, external_id) WHERE external_id <> '' AND status <> 'deleted';
CREATE UNIQUE INDEX users_nkey ON users (nkey) WHERE nkey <> '';

CREATE TABLE credentials (
  nkey       text PRIMARY KEY,
  tenant_id  text NOT NULL,
  user_id    text NOT NULL,
  issued_at  timestamptz NOT NULL,
  revoked_at timestamptz,
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX credentials_user ON credentials (tenant_id, user_id);

CREATE TABLE rooms (
  room_pk    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  room_id    text COLLATE "C" NOT NULL,
  address    text NOT NULL DEFAULT '',
  kind       text NOT NULL CHECK (kind IN ('open', 'announce', 'private', 'direct', 'shared')),
  class      text NOT NULL CHECK (class IN ('std', 'day', 'keep', 'mem')),
  title      text NOT NULL,
  state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'frozen', 'archived', 'deleted')),
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,  -- of state
  UNIQUE (tenant_id, room_id)
);
CREATE UNIQUE INDEX rooms_address ON rooms (address) WHERE address <> '';
CREATE INDEX rooms_closed ON rooms (tenant_id, changed_at DESC) WHERE state <> 'active';

CREATE TABLE members (
  room_pk   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  role      text NOT NULL CHECK (role IN ('reader', 'member', 'poster', 'moderator', 'owner')),
  state     text NOT NULL CHECK (state IN ('joined', 'invited', 'banned')),
  joined_at timestamptz NOT NULL,
  PRIMARY KEY (room_pk, user_id) INCLUDE (state),  -- counted without the table
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
-- All that the callout asks of a user's memberships.
CREATE INDEX members_user ON members (tenant_id, user_id, room_pk) INCLUDE (role, state, joined_at);

CREATE TABLE api_keys (
  key_id     text PRIMARY KEY,
  tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  name       text NOT NULL,
  hash       bytea NOT NULL,  -- SHA-256 of the key
  scopes     text[] NOT NULL,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);

-- No reference to tenants: the trail outlives what it tells of.
CREATE TABLE audit (
  audit_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL,
  at        timestamptz NOT NULL,
  actor     text NOT NULL,
  action    text NOT NULL,
  object    text NOT NULL,
  before    jsonb,
  after     jsonb
);
CREATE INDEX audit_tenant ON audit (tenant_id, at DESC, audit_id DESC);

-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append only';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE TABLE refusals (
  refusal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id  text NOT NULL,  -- '': the client named no tenant that exists
  at         timestamptz NOT NULL,
  user_id    text NOT NULL,
  method     text NOT NULL,
  address    text NOT NULL,
  code       text NOT NULL,
  reason     text NOT NULL
);
CREATE INDEX refusals_tenant ON refusals (tenant_id, at DESC, refusal_id DESC);
CREATE INDEX refusals_at ON refusals (at);

-- Written by console: the answers to writes that carried an Idempotency-Key, without their secrets.
CREATE TABLE idempotency (
  actor      text NOT NULL,
  key        text NOT NULL,
  request    bytea NOT NULL,  -- SHA-256 of method, path and body
  started_at timestamptz NOT NULL,
  status     int,             -- null: not answered yet
  answer     bytea,
  PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_started ON idempotency (started_at);

-- Written by accounts.

-- accounts are the NATS accounts: the system ones by name, each tenant's by tenant_id.
CREATE TABLE accounts (
  account    text PRIMARY KEY,      -- public nkey; of the operator: O…
  name       text UNIQUE,           -- OPERATOR, SYS, AUTH or PARLEY
  tenant_id  text UNIQUE REFERENCES tenants ON DELETE CASCADE,
  jwt        text NOT NULL DEFAULT '',       -- the newest that was signed
  content    bytea NOT NULL DEFAULT '',      -- SHA-256 of its claims without iat and jti
  iat        bigint NOT NULL DEFAULT 0,      -- strictly increasing; seconds
  pushed_iat bigint NOT NULL DEFAULT 0,      -- the newest that every node confirmed
  CHECK ((name IS NULL) <> (tenant_id IS NULL))
);

CREATE TABLE account_keys (
  key_id      text PRIMARY KEY,     -- its public key
  account     text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  purpose     text NOT NULL CHECK (purpose IN ('identity', 'signing', 'token', 'xkey')),
  sealed      bytea NOT NULL,
  key_version int NOT NULL,         -- of the master key
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_keys_account ON account_keys (account, purpose);

-- sessions are what the callout knows of the open connections. Lost in a crash, as the connections are.
CREATE UNLOGGED TABLE sessions (
  server_id text NOT NULL,
  cid       bigint NOT NULL,
  account   text NOT NULL,
  user_id   text NOT NULL,
  method    text NOT NULL,
  address   text NOT NULL,
  since     timestamptz NOT NULL,
  PRIMARY KEY (server_id, cid)
);
CREATE INDEX sessions_user ON sessions (account, user_id);

-- Written by chat.

-- streams are the wanted JetStream streams and how far each is projected.
CREATE TABLE streams (
  stream    text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  account   text NOT NULL,
  class     text NOT NULL,
  first_seq bigint NOT NULL,        -- the oldest that retention has kept
  last_seq  bigint NOT NULL,        -- the newest that is projected
  UNIQUE (tenant_id, class)
);

-- projector_epoch holds one row: a leader that finds another epoch than its own is none any more.
CREATE TABLE projector_epoch (
  one   boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL
);
INSERT INTO projector_epoch (epoch) VALUES (0);

-- room_heads change with each message; apart from rooms, so that those stay still.
CREATE TABLE room_heads (
  room_pk  bigint PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
  first_n  bigint NOT NULL DEFAULT 1,  -- number of the oldest that is kept
  last_n   bigint NOT NULL DEFAULT 0,
  last_seq bigint NOT NULL DEFAULT 0,
  last_at  timestamptz
) WITH (fillfactor = 70);

CREATE TABLE messages (
  room_pk    bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  seq        bigint NOT NULL,
  n          bigint,                -- 1, 2, 3, … in the room; null for events
  sender     text NOT NULL,         -- a user id; '_' for events
  message_id text NOT NULL,
  at         timestamptz NOT NULL,
  text       text NOT NULL,
  thread     bigint,
  replies    int NOT NULL DEFAULT 0,
  reactions  jsonb,                 -- {"👍": ["bob"]}
  mentions   text[],
  attachments jsonb,
  data       jsonb,
  event      jsonb,
  edited_at  timestamptz,
  deleted_at timestamptz,
  PRIMARY KEY (room_pk, seq)
);
CREATE UNIQUE INDEX messages_once ON messages (room_pk, sender, message_id);
CREATE INDEX messages_at ON messages (room_pk, at);

CREATE TABLE read_positions (
  room_pk   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  seq       bigint NOT NULL,
  n         bigint NOT NULL,
  PRIMARY KEY (room_pk, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX read_positions_user ON read_positions (tenant_id, user_id);

-- +goose Down
SELECT 1;

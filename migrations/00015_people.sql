-- +goose Up

-- The people of the console: written by tenant/pgstore.

CREATE TABLE people (
  person_id     text PRIMARY KEY,
  email         text NOT NULL UNIQUE,  -- in lower case
  name          text NOT NULL,
  password_hash text NOT NULL DEFAULT '',
  operator      boolean NOT NULL,      -- sees the operator's pages
  founder       boolean NOT NULL,      -- may make tenants
  created_at    timestamptz NOT NULL
);

CREATE TABLE seats (
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  role      text NOT NULL CHECK (role IN ('viewer', 'developer', 'moderator', 'admin', 'owner')),
  since     timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, person_id)
);
CREATE INDEX seats_person ON seats (person_id);

-- logins are the open sessions of people. The cookie has the secret, of which this is the SHA-256.
CREATE TABLE logins (
  login_id   text PRIMARY KEY,
  hash       bytea NOT NULL UNIQUE,
  person_id  text NOT NULL REFERENCES people ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  address    text NOT NULL,
  agent      text NOT NULL
);
CREATE INDEX logins_person ON logins (person_id);
CREATE INDEX logins_expires ON logins (expires_at);

-- links are handed to people and work once.
CREATE TABLE links (
  link_id    text PRIMARY KEY,
  hash       bytea NOT NULL UNIQUE,
  kind       text NOT NULL CHECK (kind IN ('operator', 'founder', 'seat', 'recovery')),
  tenant_id  text REFERENCES tenants ON DELETE CASCADE,  -- of a seat
  role       text NOT NULL DEFAULT '',                   -- of a seat
  person_id  text REFERENCES people ON DELETE CASCADE,   -- of a recovery
  made_by    text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX links_tenant ON links (tenant_id) WHERE used_at IS NULL;

-- visits are operators in a tenant that is not theirs, for a reason and a while.
CREATE TABLE visits (
  person_id text NOT NULL REFERENCES people ON DELETE CASCADE,
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  reason    text NOT NULL,
  since     timestamptz NOT NULL,
  until     timestamptz NOT NULL,
  PRIMARY KEY (person_id, tenant_id)
);

-- +goose Down
SELECT 1;

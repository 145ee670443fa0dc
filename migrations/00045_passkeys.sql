-- +goose Up

-- Passkeys of the console's people, and the challenges that wait for their answer.

CREATE TABLE passkeys (
  passkey_id text PRIMARY KEY,
  person_id  text NOT NULL REFERENCES people ON DELETE CASCADE,
  credential bytea NOT NULL UNIQUE,  -- what the authenticator calls it
  public_key bytea NOT NULL,         -- COSE
  counter    bigint NOT NULL,        -- of signatures; 0 where the authenticator counts none
  synced     boolean NOT NULL,       -- it may be on several devices
  name       text NOT NULL,
  created_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX passkeys_person ON passkeys (person_id);

CREATE TABLE challenges (
  hash       bytea PRIMARY KEY,                            -- SHA-256
  login_id   text REFERENCES logins ON DELETE CASCADE,     -- whose person adds a passkey; NULL: somebody logs in
  expires_at timestamptz NOT NULL
);
CREATE INDEX challenges_expires ON challenges (expires_at);
CREATE INDEX challenges_login ON challenges (login_id);

-- +goose Down
SELECT 1;

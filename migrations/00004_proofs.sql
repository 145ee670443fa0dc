-- +goose Up

-- What a connection was opened with, so that it can be closed when that is taken back.
ALTER TABLE sessions
  ADD COLUMN key_id   text NOT NULL DEFAULT '',   -- of the tenant's key, or the nkey of the user or the credential
  ADD COLUMN token_id text NOT NULL DEFAULT '';   -- jti

-- Tokens that were issued to a user before this time are refused; null: before created_at.
ALTER TABLE users ADD COLUMN tokens_from timestamptz;

-- An ID token finds its tenant by who issued it for whom. Of removed keys too, for the reason of its refusal.
CREATE INDEX keys_oidc ON keys ((details->>'issuer'), (details->>'client_id')) WHERE kind = 'oidc';
CREATE UNIQUE INDEX keys_oidc_once ON keys ((details->>'issuer'), (details->>'client_id')) WHERE kind = 'oidc' AND removed_at IS NULL;

-- +goose Down
SELECT 1;

-- +goose Up

-- Tokens that were revoked one by one, until the longest that one could have lived.
CREATE TABLE revoked_tokens (
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  user_id   text COLLATE "C" NOT NULL,
  token_id  text NOT NULL,  -- jti
  until     timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, user_id, token_id)
);

-- +goose Down
SELECT 1;

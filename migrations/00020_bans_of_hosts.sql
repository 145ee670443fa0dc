-- +goose Up

-- A user whom the host of a shared room keeps out, where else his own tenant does: only who
-- set a ban ends it.
ALTER TABLE members ADD COLUMN by_host boolean NOT NULL DEFAULT false;
CREATE OR REPLACE VIEW standings AS
  SELECT room_pk, tenant_id, user_id, role, state, joined_at, until, reason, by_host FROM members
  WHERE state = 'joined' OR until IS NULL OR until > now();

-- +goose Down
SELECT 1;

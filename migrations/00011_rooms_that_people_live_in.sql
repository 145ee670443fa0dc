-- +goose Up

ALTER TABLE rooms
  ADD COLUMN slow_seconds int NOT NULL DEFAULT 0 CHECK (slow_seconds BETWEEN 0 AND 21600),  -- between two posts of one user
  ADD COLUMN history text NOT NULL DEFAULT 'all' CHECK (history IN ('all', 'joined'));      -- what a member may read

ALTER TABLE tenants
  ADD COLUMN user_rooms boolean NOT NULL DEFAULT true;  -- its users may make rooms

ALTER TABLE members
  ADD COLUMN until timestamptz,                   -- of a ban or an invitation: when it ends; null: it doesn't
  ADD COLUMN reason text NOT NULL DEFAULT '';     -- of a ban
CREATE INDEX members_standing ON members (tenant_id, user_id, room_pk) INCLUDE (role, state, joined_at, until);
DROP INDEX members_user;

-- standings are the rows of members that hold now. A ban or an invitation ends by the clock, whether or
-- not the job that tidies it away has run: whoever asks about rights asks this view.
CREATE VIEW standings AS
  SELECT room_pk, tenant_id, user_id, role, state, joined_at, until, reason FROM members
  WHERE state = 'joined' OR until IS NULL OR until > now();

-- +goose Down
SELECT 1;

-- +goose Up

-- Written by tenant/pgstore: users who may not post for a while, in one room or in all. A row that
-- has ended stays until a job takes it away; since and until say for which messages it holds.
CREATE TABLE mutes (
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  room_id   text COLLATE "C" NOT NULL,  -- '': in all rooms
  why       text NOT NULL CHECK (why IN ('muted', 'over_rate')),
  since     timestamptz NOT NULL,
  until     timestamptz,                -- null: until it is lifted
  PRIMARY KEY (tenant_id, user_id, room_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);

-- +goose Down
SELECT 1;

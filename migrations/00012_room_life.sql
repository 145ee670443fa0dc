-- +goose Up

ALTER TABLE mutes ADD COLUMN reason text NOT NULL DEFAULT '';

-- Written by tenant/pgstore.

CREATE TABLE pins (
  room_pk   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  seq       bigint NOT NULL,
  pinned_by text NOT NULL,  -- '': the tenant itself
  pinned_at timestamptz NOT NULL,
  PRIMARY KEY (room_pk, seq)
);

-- blocks are whom a user wants nothing from: their 1:1 room is closed both ways.
CREATE TABLE blocks (
  tenant_id  text NOT NULL,
  user_id    text COLLATE "C" NOT NULL,
  blocked_id text COLLATE "C" NOT NULL,
  since      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, user_id, blocked_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, blocked_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX blocks_since ON blocks (tenant_id, since DESC);
CREATE INDEX blocks_blocked ON blocks (tenant_id, blocked_id);

-- reports are messages that users showed to the moderators of their room.
CREATE TABLE reports (
  report_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   text NOT NULL,
  room_pk     bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  seq         bigint NOT NULL,
  sender      text NOT NULL,  -- of the message
  reported_by text COLLATE "C" NOT NULL,
  reason      text NOT NULL,
  at          timestamptz NOT NULL,
  UNIQUE (room_pk, seq, reported_by),
  FOREIGN KEY (tenant_id, reported_by) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX reports_tenant ON reports (tenant_id, at DESC, report_id DESC);

-- Written by chat.

-- notify_levels are what users want to be told of a room; none: all.
CREATE TABLE notify_levels (
  room_pk   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  level     text NOT NULL CHECK (level IN ('mentions', 'none')),
  PRIMARY KEY (room_pk, user_id, tenant_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX notify_levels_user ON notify_levels (tenant_id, user_id);

-- +goose Down
SELECT 1;

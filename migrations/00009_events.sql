-- +goose Up

-- Written by tenant/pgstore with the change that they tell of, and taken out by chat when they
-- are stored in their room.
CREATE TABLE pending_events (
  event_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the order
  tenant_id  text NOT NULL,
  room_id    text COLLATE "C" NOT NULL,
  message_id text NOT NULL,  -- random, so that nobody can take it before
  event      json NOT NULL,  -- as it is published
  FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, room_id) ON DELETE CASCADE
);
CREATE INDEX pending_events_room ON pending_events (tenant_id, room_id, event_id);

-- +goose Down
SELECT 1;

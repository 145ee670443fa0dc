-- +goose Up

-- Of an event: the message that it is about.
ALTER TABLE messages ADD COLUMN target bigint;
CREATE INDEX messages_target ON messages (room_pk, target) WHERE target IS NOT NULL;

-- The row stays although its stream has it no more: a tombstone, or an event that lost its text.
ALTER TABLE messages ADD COLUMN purged boolean NOT NULL DEFAULT false;

-- Unread counts leave out the deleted ones behind a position.
CREATE INDEX messages_deleted ON messages (room_pk, n) WHERE deleted_at IS NOT NULL;

-- Written by chat: what is to be erased from its stream.
CREATE TABLE erasures (
  stream text NOT NULL,
  seq    bigint NOT NULL,
  PRIMARY KEY (stream, seq)
);

-- +goose Down
SELECT 1;

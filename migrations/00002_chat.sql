-- +goose Up

-- Written by chat: stored posts that the rules refused, until they are purged from
-- their stream and their senders are told. A row lives for milliseconds.
CREATE TABLE refused_posts (
  stream    text NOT NULL,
  seq       bigint NOT NULL,
  account   text NOT NULL,
  user_id   text NOT NULL,  -- '': the subject names no sender
  room_id   text NOT NULL,  -- as the subject has it
  code      text NOT NULL,
  PRIMARY KEY (stream, seq)
);

-- Counting unread mentions reads only the messages that mention somebody.
CREATE INDEX messages_mentions ON messages (room_pk, seq) WHERE mentions IS NOT NULL;

-- +goose Down
SELECT 1;

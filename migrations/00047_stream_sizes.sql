-- +goose Up

-- What each stream holds, as the projector's leader counts it. Apart from streams, whose rows are
-- locked with each message.
CREATE TABLE stream_sizes (
  stream   text PRIMARY KEY REFERENCES streams ON DELETE CASCADE,
  messages bigint NOT NULL,
  bytes    bigint NOT NULL
);

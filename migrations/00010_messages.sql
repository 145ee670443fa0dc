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

-- What search looks in: the words of each message, apart from messages, so that replies and
-- reactions do not write it anew. Each word begins with its tenant's key, so that a search reads the
-- lists of one tenant; one word names the room.
CREATE TABLE message_words (
  room_pk bigint NOT NULL,
  seq     bigint NOT NULL,
  scope   bigint NOT NULL,  -- of the tenant: a hash
  at      timestamptz NOT NULL,
  words   tsvector NOT NULL,
  PRIMARY KEY (room_pk, seq)
);
CREATE INDEX message_words_recent ON message_words (scope, at);
-- A search reads what is pending from end to end.
CREATE INDEX message_words_words ON message_words USING gin (words) WITH (gin_pending_list_limit = 512);

-- Whoever removes a message or its text, nobody finds it any more.
-- +goose StatementBegin
CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM message_words w USING gone WHERE w.room_pk = gone.room_pk AND w.seq = gone.seq;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER messages_deleted_words AFTER DELETE ON messages
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_words();
-- +goose StatementBegin
CREATE FUNCTION forget_words_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM message_words WHERE room_pk = new.room_pk AND seq = new.seq;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER messages_erased_words AFTER UPDATE OF text ON messages
  FOR EACH ROW WHEN (old.text <> '' AND new.text = '') EXECUTE FUNCTION forget_words_of_row();

-- +goose Down
SELECT 1;

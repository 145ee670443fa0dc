-- +goose Up

-- Written by accounts: when each user was last known to be connected, to the minute while he is; idle_since by chat.
-- He counts as idle while no session of his began later.
CREATE TABLE presence (
  tenant_id  text NOT NULL,
  user_id    text COLLATE "C" NOT NULL,
  last_seen  timestamptz,
  idle_since timestamptz,
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);

-- Written by chat: what each tenant used on each day by UTC.
CREATE TABLE usage_days (
  tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  day         date NOT NULL,
  messages    bigint NOT NULL,  -- stored since the tenant began
  bytes       bigint NOT NULL,
  connections bigint NOT NULL,
  users       bigint NOT NULL,
  rooms       bigint NOT NULL,
  PRIMARY KEY (tenant_id, day)
);

-- Legal holds: of a room, or of the whole tenant where room_id is ''.
CREATE TABLE holds (
  tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  room_id   text COLLATE "C" NOT NULL,
  reason    text NOT NULL,
  placed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, room_id)
);

-- What left messages, or was changed there, while a hold covered it.
CREATE TABLE held_messages (
  held_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  room_id     text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  sender      text NOT NULL,
  sender_name text NOT NULL,  -- as it was then
  at          timestamptz NOT NULL,
  text        text NOT NULL,
  thread      bigint,
  mentions    text[],
  attachments jsonb,
  data        jsonb,
  event       jsonb,
  kept_at     timestamptz NOT NULL
);
CREATE INDEX held_messages_room ON held_messages (tenant_id, room_id, held_id);

-- Whoever removes a message, and why: the copy is made with it.
-- +goose StatementBegin
CREATE FUNCTION hold_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO held_messages (tenant_id, room_id, seq, sender, sender_name, at, text, thread, mentions, attachments, data, event, kept_at)
  SELECT r.tenant_id, r.room_id, g.seq, g.sender, coalesce(u.name, ''), g.at, g.text, g.thread, g.mentions, g.attachments, g.data, g.event, now()
  FROM gone g JOIN rooms r USING (room_pk) LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = g.sender
  WHERE EXISTS (SELECT FROM holds h WHERE h.tenant_id = r.tenant_id AND h.room_id IN ('', r.room_id));
  RETURN NULL;
END
$$;

CREATE FUNCTION hold_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO held_messages (tenant_id, room_id, seq, sender, sender_name, at, text, thread, mentions, attachments, data, event, kept_at)
  SELECT r.tenant_id, r.room_id, OLD.seq, OLD.sender, coalesce(u.name, ''), OLD.at, OLD.text, OLD.thread, OLD.mentions, OLD.attachments, OLD.data, OLD.event, now()
  FROM rooms r LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = OLD.sender
  WHERE r.room_pk = OLD.room_pk
    AND EXISTS (SELECT FROM holds h WHERE h.tenant_id = r.tenant_id AND h.room_id IN ('', r.room_id));
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER messages_removed_held AFTER DELETE ON messages
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION hold_removed();
CREATE TRIGGER messages_changed_held AFTER UPDATE OF text, attachments, data, event ON messages FOR EACH ROW
  WHEN (OLD.text <> NEW.text OR OLD.attachments IS DISTINCT FROM NEW.attachments
    OR OLD.data IS DISTINCT FROM NEW.data OR OLD.event IS DISTINCT FROM NEW.event)
  EXECUTE FUNCTION hold_changed();

-- Erasures of people: River does them, here stands how far they are.
CREATE TABLE person_erasures (
  tenant_id   text NOT NULL,
  user_id     text COLLATE "C" NOT NULL,
  messages    bigint NOT NULL DEFAULT 0,  -- emptied so far
  begun_at    timestamptz NOT NULL,
  finished_at timestamptz,
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);

-- +goose Down
SELECT 1;

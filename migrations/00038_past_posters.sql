-- +goose Up

-- When those posted in shared rooms who may no more. Of what they sent, all counts that was stored
-- before they lost their right, also if the projector comes to it later: it was acknowledged.
CREATE TABLE past_posters (
  room_pk   bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  since     timestamptz NOT NULL,
  until     timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX past_posters_member ON past_posters (room_pk, tenant_id, user_id);

-- A trigger, since members are lost in several ways: they leave, are banned, their share ends. Rooms
-- and users that go for good are not there any more when it looks. A day is more than the projector
-- is ever behind.
-- +goose StatementBegin
CREATE FUNCTION keep_past_poster() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM past_posters p
  WHERE p.room_pk = OLD.room_pk AND p.tenant_id = OLD.tenant_id AND p.user_id = OLD.user_id
    AND p.until < now() - interval '1 day';
  INSERT INTO past_posters (room_pk, tenant_id, user_id, since, until)
  SELECT r.room_pk, u.tenant_id, u.user_id, OLD.joined_at, clock_timestamp()
  FROM rooms r, users u
  WHERE r.room_pk = OLD.room_pk AND r.kind = 'shared' AND u.tenant_id = OLD.tenant_id AND u.user_id = OLD.user_id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_deleted_poster AFTER DELETE ON members FOR EACH ROW
  WHEN (OLD.state = 'joined' AND OLD.role <> 'reader') EXECUTE FUNCTION keep_past_poster();
CREATE TRIGGER members_changed_poster AFTER UPDATE ON members FOR EACH ROW
  WHEN (OLD.state = 'joined' AND OLD.role <> 'reader' AND (NEW.state <> 'joined' OR NEW.role = 'reader'))
  EXECUTE FUNCTION keep_past_poster();

-- +goose Down
SELECT 1;

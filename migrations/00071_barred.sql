-- +goose Up

-- Who may post no more, and since when: his connections are closed within moments, and what they send until
-- then does not count. In one room, or in all of a revoked user. Shared rooms have past_posters: there the
-- projector asks for the right itself.
CREATE TABLE barred (
  tenant_id text NOT NULL,
  user_id   text COLLATE "C" NOT NULL,
  room_pk   bigint REFERENCES rooms ON DELETE CASCADE,  -- null: in all
  why       text NOT NULL CHECK (why IN ('not_member', 'revoked')),
  since     timestamptz NOT NULL,
  until     timestamptz,  -- null: until he has the right again
  UNIQUE NULLS NOT DISTINCT (tenant_id, user_id, room_pk),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX barred_room ON barred (room_pk);

-- The column Post of tenant.RightsOf, with a null state for strangers.
CREATE FUNCTION may_post(kind text, state text, role text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE state
    WHEN 'joined' THEN role IN ('owner', 'moderator', 'poster') OR role = 'member' AND kind <> 'announce'
    WHEN 'banned' THEN false
    ELSE kind = 'open' END
$$;

-- Triggers, since rights are lost in several ways: a ban, a kick, another role, a user who leaves. Rooms and
-- users that go for good are not there any more when they look.
-- +goose StatementBegin
CREATE FUNCTION note_barred_member() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  m   members := coalesce(NEW, OLD);
  k   text := (SELECT kind FROM rooms WHERE room_pk = m.room_pk);
  was boolean := may_post(k, OLD.state, OLD.role);
  may boolean := may_post(k, NEW.state, NEW.role);
  end_moved boolean := OLD.state = 'banned' AND NEW.state = 'banned' AND OLD.until IS DISTINCT FROM NEW.until;
BEGIN
  IF k IS NULL OR k = 'shared' OR was = may AND end_moved IS NOT TRUE THEN
    RETURN NULL;
  END IF;
  IF may THEN
    UPDATE barred b SET until = clock_timestamp()
    WHERE b.tenant_id = m.tenant_id AND b.user_id = m.user_id AND b.room_pk = m.room_pk AND (b.until IS NULL OR b.until > clock_timestamp());
    RETURN NULL;
  END IF;
  INSERT INTO barred (tenant_id, user_id, room_pk, why, since, until)
  SELECT u.tenant_id, u.user_id, m.room_pk, 'not_member', clock_timestamp(), CASE WHEN NEW.state = 'banned' THEN NEW.until END
  FROM users u WHERE u.tenant_id = m.tenant_id AND u.user_id = m.user_id
  ON CONFLICT (tenant_id, user_id, room_pk) DO UPDATE SET
    since = CASE WHEN was THEN EXCLUDED.since ELSE barred.since END, until = EXCLUDED.until;
  RETURN NULL;
END $$;

CREATE FUNCTION note_barred_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'active' THEN
    UPDATE barred SET until = clock_timestamp() WHERE tenant_id = NEW.tenant_id AND user_id = NEW.user_id AND room_pk IS NULL;
  ELSE
    INSERT INTO barred (tenant_id, user_id, why, since) VALUES (NEW.tenant_id, NEW.user_id, 'revoked', clock_timestamp())
    ON CONFLICT (tenant_id, user_id, room_pk) DO UPDATE SET since = EXCLUDED.since, until = NULL WHERE barred.until IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_barred AFTER INSERT OR UPDATE OR DELETE ON members FOR EACH ROW EXECUTE FUNCTION note_barred_member();
CREATE TRIGGER users_barred AFTER UPDATE OF status ON users FOR EACH ROW
  WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION note_barred_user();

-- +goose Down
SELECT 1;

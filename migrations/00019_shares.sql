-- +goose Up

-- The class names the stream of a room: a tenant's shared rooms are in streams of their own,
-- numbered, since each room and participant is a subject of its own there.
ALTER TABLE rooms DROP CONSTRAINT rooms_class_check,
  ADD CONSTRAINT rooms_class_check CHECK (CASE WHEN kind = 'shared' THEN class ~ '^shared[1-9][0-9]*$'
    ELSE class IN ('std', 'day', 'keep', 'mem') END);

-- Written by tenant/pgstore. An offer of a shared room to another tenant, and what became of it.
CREATE TABLE shares (
  share_id    text PRIMARY KEY,
  room_pk     bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  host        text NOT NULL REFERENCES tenants ON DELETE CASCADE,  -- the room's tenant
  guest       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
  post        boolean NOT NULL,             -- the guest's users may post
  history     text NOT NULL CHECK (history IN ('all', 'share')),  -- what the guest reads of before
  title       text NOT NULL DEFAULT '',     -- the guest's own; '': the host's
  status      text NOT NULL CHECK (status IN ('offered', 'accepted', 'declined', 'ended', 'expired')),
  offered_at  timestamptz NOT NULL,
  offered_by  text NOT NULL,
  expires_at  timestamptz,                  -- of the offer, or of the share once it is accepted
  until       timestamptz,                  -- end of the share; null: none
  accepted_at timestamptz,
  accepted_by text NOT NULL DEFAULT '',
  ended_at    timestamptz,                  -- declined, ended or expired
  ended_by    text NOT NULL DEFAULT '',
  CHECK (host <> guest)
);
CREATE UNIQUE INDEX shares_open ON shares (room_pk, guest) WHERE status IN ('offered', 'accepted');
CREATE INDEX shares_host ON shares (host, share_id);
CREATE INDEX shares_guest ON shares (guest, share_id);

-- The rooms of a tenant as it names them: its own by their ids, those that others share with it by
-- their addresses.
CREATE VIEW tenant_rooms AS
  SELECT r.tenant_id AS viewer, r.room_id AS id, r.title AS shown, NULL::timestamptz AS visible_from, true AS may_post, r.*
  FROM rooms r
  UNION ALL
  SELECT s.guest, r.address, CASE WHEN s.title = '' THEN r.title ELSE s.title END,
    CASE WHEN s.history = 'share' THEN s.accepted_at END, s.post, r.*
  FROM shares s JOIN rooms r ON r.room_pk = s.room_pk
  WHERE s.status = 'accepted';

-- Whose users post in the shared rooms of a host that are not closed.
CREATE VIEW shared_posters AS
  SELECT r.tenant_id AS host, r.class, r.address, t.account
  FROM rooms r JOIN tenants t ON t.tenant_id = r.tenant_id
  WHERE r.kind = 'shared' AND r.state = 'active'
  UNION ALL
  SELECT r.tenant_id, r.class, r.address, t.account
  FROM rooms r JOIN shares s ON s.room_pk = r.room_pk JOIN tenants t ON t.tenant_id = s.guest
  WHERE r.kind = 'shared' AND r.state = 'active' AND s.status = 'accepted' AND s.post;

-- +goose Down
SELECT 1;

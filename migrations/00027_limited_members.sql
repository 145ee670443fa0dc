-- +goose Up

-- Who has less than everybody in some room: the callout asks at each connection, and read all of a
-- user's memberships for it (5,000: 36 ms, now 8).
CREATE INDEX members_limited ON members (tenant_id, user_id, room_pk) INCLUDE (role, state, until)
  WHERE state = 'banned' OR role = 'reader';

-- +goose Down
SELECT 1;

-- +goose Up

-- The members of a room may be users of several tenants, whose ids may be the same.
ALTER TABLE members DROP CONSTRAINT members_pkey, ADD PRIMARY KEY (room_pk, user_id, tenant_id) INCLUDE (state);
ALTER TABLE read_positions DROP CONSTRAINT read_positions_pkey, ADD PRIMARY KEY (room_pk, user_id, tenant_id);

-- +goose Down
SELECT 1;

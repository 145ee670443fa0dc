-- +goose Up

-- Of a room that is shared so that the guest keeps a copy: when the share ends, a room of the guest's own is made
-- (by tenant/pgstore), and filled (by chat) with what its users could read.
ALTER TABLE shares
  ADD COLUMN keep_copy boolean NOT NULL DEFAULT false,
  ADD COLUMN copied boolean NOT NULL DEFAULT false,  -- the copy is whole
  ADD CHECK (room_pk IS NOT NULL OR NOT keep_copy);

-- +goose Down
SELECT 1;

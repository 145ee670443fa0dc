-- +goose Up

-- Written by tenant/pgstore. A share is of a room, or of a service: what backends of the host answer on svc.<service>.
ALTER TABLE shares
  ALTER COLUMN room_pk DROP NOT NULL,
  ADD COLUMN service text NOT NULL DEFAULT '',
  DROP CONSTRAINT shares_history_check,
  ADD CONSTRAINT shares_history_check CHECK (CASE WHEN service = '' THEN room_pk IS NOT NULL AND history IN ('all', 'share')
    ELSE room_pk IS NULL AND history = '' AND NOT post END);
CREATE UNIQUE INDEX shares_open_services ON shares (host, service, guest) WHERE service <> '' AND status IN ('offered', 'accepted');

-- +goose Down
SELECT 1;

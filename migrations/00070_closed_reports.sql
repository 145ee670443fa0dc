-- +goose Up

-- What became of a report, and which tenant says so: the room's, or that of who reported.
ALTER TABLE reports
  ADD COLUMN closed_at timestamptz,
  ADD COLUMN closed_in text NOT NULL DEFAULT '',
  ADD COLUMN outcome   text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'acted', 'dismissed')),
  ADD COLUMN note      text NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;

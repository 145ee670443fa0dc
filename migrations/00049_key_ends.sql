-- +goose Up

-- When a key ends that was rotated, and overlaps with the new one.
ALTER TABLE keys ADD COLUMN ends_at timestamptz;

-- +goose Down
SELECT 1;

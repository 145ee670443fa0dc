-- +goose Up

-- Since when a user has his status: what was revoked last stands in the claims of his account first.
ALTER TABLE users ADD COLUMN status_since timestamptz NOT NULL DEFAULT clock_timestamp();

-- +goose StatementBegin
CREATE FUNCTION note_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status_since = clock_timestamp();
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER users_status_since BEFORE UPDATE OF status ON users FOR EACH ROW
  WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION note_status_since();

-- +goose Down
SELECT 1;

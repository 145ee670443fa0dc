-- +goose Up

-- Which of the rooms that are listed one by one a connection carries. Null: all that its user has.
ALTER TABLE sessions
  ADD COLUMN rooms      text[],
  ADD COLUMN restricted boolean NOT NULL DEFAULT false;  -- open and announce rooms are listed too
CREATE INDEX sessions_partial ON sessions (account, user_id) WHERE rooms IS NOT NULL;

-- +goose Down
SELECT 1;

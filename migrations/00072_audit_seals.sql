-- +goose Up

-- Each seal covers entries of the audit trail, and the seal before it: what is changed, taken out or put elsewhere
-- later does not fit any more. The key is not in the database.
CREATE TABLE audit_seals (
  seal_id bigint PRIMARY KEY,       -- 1, 2, 3, …
  at      timestamptz NOT NULL,
  entries bigint[] NOT NULL,        -- ids, in their order
  mac     bytea NOT NULL
);
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Transactions commit in another order than their entries are numbered, so that "all behind the last one" would
-- lose some: each entry waits here until a seal has it.
CREATE TABLE audit_unsealed (audit_id bigint PRIMARY KEY);
INSERT INTO audit_unsealed SELECT audit_id FROM audit;

-- +goose StatementBegin
CREATE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_unsealed SELECT audit_id FROM fresh;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_unsealed AFTER INSERT ON audit REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed();

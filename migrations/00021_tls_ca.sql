-- +goose Up

-- A client certificate finds its tenant by who issued it: name and key id of a CA, or the name
-- alone where the certificate says no more. A CA's key belongs to one tenant.
CREATE INDEX keys_tls_ca ON keys ((details->>'ca')) WHERE kind = 'tls-ca';
CREATE INDEX keys_tls_ca_name ON keys ((details->>'ca_name')) WHERE kind = 'tls-ca';
CREATE UNIQUE INDEX keys_tls_ca_once ON keys ((details->>'ca_key')) WHERE kind = 'tls-ca' AND removed_at IS NULL;

-- +goose Down
SELECT 1;

-- +goose Up

-- How long a tenant keeps messages, and what a full class does; {}: the defaults of tenant.Retention.
ALTER TABLE tenants ADD COLUMN retention jsonb NOT NULL DEFAULT '{}';

-- +goose Down
SELECT 1;

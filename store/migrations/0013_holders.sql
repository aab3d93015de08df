-- +goose Up

-- Whoever holds a wallet can be frozen (nothing comes in or goes out, until a person decides) or closed for good. A Step that moves a
-- wallet reads this under a lock that moves of it share, and that only a change of the status excludes.
ALTER TABLE users ADD status text NOT NULL DEFAULT 'active' CONSTRAINT users_status CHECK (status IN ('active', 'frozen', 'closed', 'erased'));

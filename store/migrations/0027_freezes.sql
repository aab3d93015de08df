-- +goose Up

-- Who has frozen a user, when and why is said by user_acts: what was frozen since the last thaw stands. The column was never written, and
-- no binary reads it.
ALTER TABLE users DROP COLUMN frozen_by;

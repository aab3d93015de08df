-- +goose Up

-- What whoever is paid out has to do before the channel pays, such as confirming in their app: a secret, sealed, and gone once the payout
-- has ended. A binary from before ends payouts without knowing of it, so the row itself forgets.
ALTER TABLE payouts ADD COLUMN next_action_sealed bytea;

-- +goose StatementBegin
CREATE FUNCTION payout_action_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.next_action_sealed := NULL;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER payouts_forget BEFORE UPDATE ON payouts FOR EACH ROW
    WHEN (NEW.next_action_sealed IS NOT NULL AND NEW.status <> 'processing') EXECUTE FUNCTION payout_action_ends();

-- People, and what the console keeps for them.

CREATE TABLE account (
  id {id},
  name TEXT NOT NULL UNIQUE,        -- never changed: the ledger names people by it
  roles TEXT NOT NULL,              -- of owner, auditor, admin; a space between
  password TEXT NOT NULL,           -- argon2id; empty for one who signs in elsewhere
  totp_sealed {bytes},
  totp_used {int} NOT NULL,         -- the last time step whose code was taken
  enabled {int} NOT NULL,
  created_at {int} NOT NULL
) {strict};

CREATE TABLE recovery_code (
  account_id {int} NOT NULL REFERENCES account (id),
  mac {bytes} NOT NULL,
  PRIMARY KEY (account_id, mac)
) {clustered};

-- Whom a provider of single sign-on means by a subject.
CREATE TABLE identity (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id {int} NOT NULL REFERENCES account (id),
  PRIMARY KEY (issuer, subject)
) {clustered};

CREATE TABLE session (
  id {id},
  token_hash {bytes} NOT NULL UNIQUE,
  account_id {int} NOT NULL REFERENCES account (id),
  address TEXT NOT NULL,
  agent TEXT NOT NULL,
  created_at {int} NOT NULL,
  seen_at {int} NOT NULL
) {strict};

CREATE INDEX session_of_account ON session (account_id);

-- A link that works once: it makes an account, or gives one that exists a new password.
CREATE TABLE invitation (
  id {id},
  token_hash {bytes} NOT NULL UNIQUE,
  account_id {int} REFERENCES account (id),
  app_id {int} REFERENCES app (id),
  roles TEXT NOT NULL,
  actor TEXT NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {strict};

CREATE TABLE app_owner (
  account_id {int} NOT NULL REFERENCES account (id),
  app_id {int} NOT NULL REFERENCES app (id),
  PRIMARY KEY (account_id, app_id)
) {clustered};

CREATE INDEX app_owner_of_app ON app_owner (app_id);

-- Who has a signature on the desk, and until when.
CREATE TABLE lease (
  signature_id {int} PRIMARY KEY REFERENCES signature (id),
  actor TEXT NOT NULL,
  taken_at {int} NOT NULL,
  until {int} NOT NULL
) {strict};

-- Texts of coded reasons that an admin has changed.
CREATE TABLE reason (
  code TEXT PRIMARY KEY,
  title_en TEXT NOT NULL,
  title_zh TEXT NOT NULL,
  advice_en TEXT NOT NULL,
  advice_zh TEXT NOT NULL
) {strict};

-- Which field of the submission a reason is about.
ALTER TABLE decision_reason ADD COLUMN field TEXT NOT NULL DEFAULT '';

CREATE INDEX decision_by_time ON decision (decided_at);

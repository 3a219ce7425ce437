-- Times are UTC microseconds. Yes and no are 1 and 0. JSON is text.

CREATE TABLE app (
  id {id},
  name TEXT NOT NULL UNIQUE,
  app_key TEXT NOT NULL UNIQUE,
  secret_mac {bytes} NOT NULL,      -- HMAC-SHA-256, for checking a request
  secret_sealed {bytes} NOT NULL,   -- AES-GCM, for showing it
  old_secret_mac {bytes},           -- valid beside the new one until a rotation's overlap ends
  old_secret_until {int},
  sms_open {int} NOT NULL,
  use_by_hand {int} NOT NULL,       -- 1: a signature that passes is not put in use by itself
  in_use_id {int},
  created_at {int} NOT NULL
) {strict};

CREATE TABLE signature (
  id {id} CHECK (id BETWEEN 1 AND 2147483647),
  app_id {int} NOT NULL REFERENCES app (id),
  content TEXT NOT NULL,
  status {int} NOT NULL,            -- 0 in the audit, 1 passed, 2 refused
  version {int} NOT NULL,           -- the latest one
  created_at {int} NOT NULL,
  submitted_at {int} NOT NULL,      -- of the latest version
  deleted_at {int}
) {strict};

-- The promise of return code 50103.
CREATE UNIQUE INDEX signature_one_in_audit ON signature (app_id) WHERE status = 0 AND deleted_at IS NULL;
CREATE INDEX signature_of_app ON signature (app_id, id);
CREATE INDEX signature_queue ON signature (submitted_at, id) WHERE status = 0 AND deleted_at IS NULL;

CREATE TABLE version (
  signature_id {int} NOT NULL REFERENCES signature (id),
  n {int} NOT NULL,
  app_id {int} NOT NULL,
  content TEXT NOT NULL,
  fields TEXT NOT NULL,             -- JSON object of the optional texts
  actor TEXT NOT NULL,
  submitted_at {int} NOT NULL,
  PRIMARY KEY (signature_id, n)
) {clustered};

CREATE TABLE image (
  signature_id {int} NOT NULL,
  version {int} NOT NULL,
  slot TEXT NOT NULL,
  app_id {int} NOT NULL,
  sha256 TEXT NOT NULL,
  type TEXT NOT NULL,
  size_bytes {int} NOT NULL,
  width {int} NOT NULL,
  height {int} NOT NULL,
  PRIMARY KEY (signature_id, version, slot),
  FOREIGN KEY (signature_id, version) REFERENCES version (signature_id, n)
) {clustered};

CREATE INDEX image_by_hash ON image (sha256);

CREATE TABLE decision (
  signature_id {int} NOT NULL,
  version {int} NOT NULL,
  app_id {int} NOT NULL,
  passed {int} NOT NULL,
  note TEXT NOT NULL,
  actor TEXT NOT NULL,
  decided_at {int} NOT NULL,
  PRIMARY KEY (signature_id, version),
  FOREIGN KEY (signature_id, version) REFERENCES version (signature_id, n)
) {clustered};

CREATE TABLE decision_reason (
  signature_id {int} NOT NULL,
  version {int} NOT NULL,
  code TEXT NOT NULL,
  PRIMARY KEY (signature_id, version, code),
  FOREIGN KEY (signature_id, version) REFERENCES decision (signature_id, version)
) {clustered};

-- Append-only. Each row bears the hash of the one before it in its chain (subject, subject_id).
CREATE TABLE event (
  id {id},
  subject TEXT NOT NULL,
  subject_id {int} NOT NULL,
  seq {int} NOT NULL,
  kind TEXT NOT NULL,
  at {int} NOT NULL,
  actor TEXT NOT NULL,
  data TEXT NOT NULL,
  prev_hash {bytes} NOT NULL,
  hash {bytes} NOT NULL,
  UNIQUE (subject, subject_id, seq)
) {strict};

-- Where each chain ends, so that a cut-off tail shows.
CREATE TABLE chain (
  subject TEXT NOT NULL,
  subject_id {int} NOT NULL,
  seq {int} NOT NULL,
  hash {bytes} NOT NULL,
  PRIMARY KEY (subject, subject_id)
) {clustered};

-- Events of signatures that are still to be told outside; written in the event's own transaction.
CREATE TABLE outbox (
  event_id {int} PRIMARY KEY REFERENCES event (id),
  app_id {int} NOT NULL,
  signature_id {int} NOT NULL,
  seq {int} NOT NULL,
  created_at {int} NOT NULL
) {strict};

-- What the added calls remember, and the order in which they list.

-- What was answered under an Idempotency-Key, written with the submission itself.
CREATE TABLE idempotency (
  app_id {int} NOT NULL,
  key TEXT NOT NULL,
  request_hash {bytes} NOT NULL,
  sign_id {int} NOT NULL,
  created_at {int} NOT NULL,
  PRIMARY KEY (app_id, key)
) {clustered};

CREATE INDEX idempotency_by_time ON idempotency (created_at);

-- How many submissions an application made on a day, counted only while a limit is in force.
CREATE TABLE submissions (
  day {int} NOT NULL,               -- since 1970-01-01, UTC
  app_id {int} NOT NULL,
  count {int} NOT NULL,
  PRIMARY KEY (day, app_id)
) {clustered};

-- A list is newest first. What is in the audit, one for each application, is found by signature_one_in_audit and
-- stays out of these, so that a create costs no more for them.
CREATE INDEX signature_by_time ON signature (app_id, created_at, id, status)
  WHERE status > 0 AND deleted_at IS NULL;
CREATE INDEX signature_by_content ON signature (app_id, content {binary}, created_at, id, status)
  WHERE status > 0 AND deleted_at IS NULL;

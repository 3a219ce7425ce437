-- Where an application's events are told, what is still to be told, and what was.

DROP TABLE outbox;   -- of before there were endpoints: nobody waits for what is in it

CREATE TABLE callback (
  id {id},
  app_id {int} NOT NULL REFERENCES app (id),
  url TEXT NOT NULL,
  form TEXT NOT NULL,               -- vendor, standard
  decisions_only {int} NOT NULL,    -- 1: told of what passed and what was refused, of nothing else
  secret_sealed {bytes},            -- its own; NULL where the form signs with the masterSecret
  old_secret_sealed {bytes},        -- signs too until a rotation's overlap ends
  old_secret_until {int},
  state TEXT NOT NULL,              -- active, paused
  why TEXT NOT NULL,                -- why it is paused: by_hand, failing, gone; else empty
  failures {int} NOT NULL,          -- in a row, since the last one that it took
  failing_since {int},
  created_at {int} NOT NULL,
  deleted_at {int}
) {strict};

CREATE INDEX callback_of_app ON callback (app_id, id) WHERE deleted_at IS NULL;

-- Events still to be told to an endpoint; written in the event's own transaction.
CREATE TABLE outbox (
  callback_id {int} NOT NULL REFERENCES callback (id),
  signature_id {int} NOT NULL,
  seq {int} NOT NULL,
  event_id {int} NOT NULL REFERENCES event (id),
  attempts {int} NOT NULL DEFAULT 0,
  due_at {int},                     -- NULL while an earlier one of the same signature waits
  leased_until {int} NOT NULL DEFAULT 0,
  lease TEXT NOT NULL DEFAULT '',   -- of the worker that is at it
  created_at {int} NOT NULL,
  PRIMARY KEY (callback_id, signature_id, seq)
) {clustered};

CREATE INDEX outbox_due ON outbox (callback_id, due_at, event_id) WHERE due_at IS NOT NULL;

-- One row for each attempt.
CREATE TABLE delivery (
  id {id},
  callback_id {int} NOT NULL REFERENCES callback (id),
  event_id {int} NOT NULL,
  signature_id {int} NOT NULL,
  seq {int} NOT NULL,
  kind TEXT NOT NULL,
  attempt {int} NOT NULL,           -- the n-th
  state TEXT NOT NULL,              -- delivered, failed
  at {int} NOT NULL,
  ms {int} NOT NULL,
  url TEXT NOT NULL,
  headers TEXT NOT NULL,            -- JSON object, as sent
  body TEXT NOT NULL,               -- as sent
  status {int},                     -- NULL when nothing was answered
  answer TEXT NOT NULL,             -- the first 4 KB of it
  error TEXT NOT NULL
) {strict};

CREATE INDEX delivery_of_callback ON delivery (callback_id, id);
CREATE INDEX delivery_by_state ON delivery (callback_id, state, id);

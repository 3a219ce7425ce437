-- What an application may be beyond an ordinary one.

ALTER TABLE app ADD COLUMN test_delay_ms {int};   -- a test application: its audit decides itself, so long after a submission
ALTER TABLE app ADD COLUMN submissions_a_day {int} NOT NULL DEFAULT 0;   -- 0: no limit

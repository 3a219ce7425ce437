-- Wrong codes of the second factor since the last right one, and until when none is checked.
ALTER TABLE account ADD COLUMN code_failures {int} NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN code_wait_until {int} NOT NULL DEFAULT 0;

-- Looked at all the time for what is due, in databases that have millions of other applications.
CREATE INDEX app_test ON app (id) WHERE test_delay_ms IS NOT NULL;

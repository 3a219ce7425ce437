"""The databases: what an engine is, SQLite, PostgreSQL, migrations, and whole tables in bulk."""

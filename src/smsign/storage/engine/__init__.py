"""Database engines: their protocol, SQLite, PostgreSQL, migrations, and bulk access to whole tables."""

"""The SQL statements, one noun per file."""

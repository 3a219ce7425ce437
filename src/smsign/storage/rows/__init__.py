"""The SQL, a noun a file."""

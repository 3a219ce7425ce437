"""Read-only diagnosis of an installation: one function per check, listed in the tables of `diagnose`."""

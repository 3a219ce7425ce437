"""Backups: what one consists of, as a folder or as a tar file."""

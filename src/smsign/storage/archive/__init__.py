"""The format of a backup, as a folder and as a tar file."""

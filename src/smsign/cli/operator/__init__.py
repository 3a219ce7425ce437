"""The commands that work on the data folder and the database."""

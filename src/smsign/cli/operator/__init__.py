"""Commands for operators, on the data folder and the database."""

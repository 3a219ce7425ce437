"""The web pages: for owners, for auditors at the desk, for admins. No rule of its own: actions decide."""

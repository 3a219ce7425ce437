"""The web console: pages for owners, auditors and admins. The rules are in `actions` and `domain`."""

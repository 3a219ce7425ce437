"""Every change: rule, rows, event and outbox in one transaction."""

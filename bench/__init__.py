"""The load programs, and the peers that smsign is run against."""

"""The benchmark: load generation, and the servers that smsign is compared with."""

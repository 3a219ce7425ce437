"""The audit log as a whole: ends of chains, the facts that it describes, and how an older one gets its MACs."""

"""The audit log as a whole: ends of chains, the facts that it describes, MACs for an earlier one."""

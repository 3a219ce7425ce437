"""The commands that work against a service, through the SDK."""

"""The wire API: decode, call one action or read, encode."""

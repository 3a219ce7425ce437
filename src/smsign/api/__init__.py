"""The JSON API: each handler decodes a request, calls one action or read, and encodes the response."""

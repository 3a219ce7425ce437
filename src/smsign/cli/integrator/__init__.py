"""Commands for integrators, which call a service through the SDK."""

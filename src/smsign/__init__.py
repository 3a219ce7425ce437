"""smsign: a self-hosted SMS signature service."""

__version__ = "0.1.0"

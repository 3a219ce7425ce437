"""Blob stores for the bytes of images: their protocol, a folder, S3; and uploads."""

"""The bytes of images: what a blob store is, a folder, S3, and uploads on their way in."""

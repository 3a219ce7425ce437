"""Image files as bytes: which format they are, and the parts of a PNG or a JPEG that decide its pixels."""

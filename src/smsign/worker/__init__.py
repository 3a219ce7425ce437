"""What goes on beside the requests: deliveries of callbacks, the audit of test applications."""

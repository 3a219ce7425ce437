"""Background tasks: delivery of events to callbacks, decisions for test applications."""

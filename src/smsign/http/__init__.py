"""The HTTP layer under the API and the console: requests, responses, forms, middleware, metrics."""

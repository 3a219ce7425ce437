"""What every page and every call shares: requests, responses, forms, and what happens around them."""

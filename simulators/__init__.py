"""Stand-in servers for development and tests.

Owns processes that speak a foreign server's protocol. They import nothing of the
product, so a fault in a shared type cannot hide on both sides of a test.
"""

"""The whole system through its public face."""

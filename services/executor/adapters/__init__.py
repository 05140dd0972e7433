"""What the executor stands on: one engine's connection, and files between engine and store."""

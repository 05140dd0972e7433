"""Fuzzing: damaged media through sniffing and probing, and the whole API by its description."""

"""The protocol: one fact a test, asked of the simulator and of a real server alike."""

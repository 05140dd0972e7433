"""Real processes, seeded faults, and an independent verdict. Run it with `make chaos`."""

"""Where hostile media are decoded: one bare process that forks a confined child for every file.

Owns confinement, deadlines and the decoding itself. Must not know of services, keys or the bus.
"""

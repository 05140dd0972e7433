"""What the services say to each other: versioned frozen events, records, plans, the lifecycle.

Owns every name that crosses a process boundary. Must stay pure: no I/O, no clock, no randomness,
and no import of any other package of the project.
"""

"""Tests of what only a simulator has: its process, journal, faults and pictures."""

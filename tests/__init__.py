"""Tests: each folder proves one part of the system."""

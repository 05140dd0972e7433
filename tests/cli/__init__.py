"""Tests of the `animatrix` command."""

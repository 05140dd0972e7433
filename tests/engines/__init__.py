"""Tests of the engine clients, against servers on real ports."""

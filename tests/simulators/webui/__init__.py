"""Tests of the simulated WebUI over plain HTTP."""

"""Tests that say whether a server is the ComfyUI the product was written for."""

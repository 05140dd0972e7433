"""Steps on a WebUI: one call, or one Deforum job, whose pictures are proved and kept at once."""

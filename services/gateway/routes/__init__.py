"""The routes of the public server, one module per resource."""

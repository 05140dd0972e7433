"""The stores as a team runs them: the same tests on a folder and on a real S3 server, on SQLite and
on a real PostgreSQL."""

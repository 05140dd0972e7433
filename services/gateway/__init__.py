"""The HTTP edge: uploads, plans, jobs, streams, media, admin; the only service with a database."""

"""The database in two parts: `read_model`, rebuilt from the streams at will, and `app`, owned.

SQLAlchemy and Alembic are used here and nowhere else in the project.
"""

"""Alembic migrations. From the first release on a migration runs beside the code before it."""

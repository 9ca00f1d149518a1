"""The schema's changes, run by Alembic from the installed package. A version writes its columns out and imports nothing of
ours; once released it is never edited."""

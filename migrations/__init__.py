"""The changes of the schema, run by Alembic from the installed package.

A version spells out its columns and imports nothing from the other packages. Once released it is never edited.
"""

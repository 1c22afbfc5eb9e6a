"""Every block of the documents is run or validated, and the migration table is whole."""

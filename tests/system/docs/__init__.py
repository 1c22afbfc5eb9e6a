"""Every code block of the documents is run or validated; the migration table is complete."""

"""A folder of results: what is measured, its records, its files, the loop over photographs, the report."""

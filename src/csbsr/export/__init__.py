"""Networks as files for other programs, and other programs underneath ours."""

"""Files that conversations carry: ciphertext, which whoever knows its id can read until it expires."""

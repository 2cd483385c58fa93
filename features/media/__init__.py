"""Media: resumable uploads, and the stored objects that come of them."""

"""Groups of `crypto.mls`, made and used as the MLS figures need them."""

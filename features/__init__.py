"""What the platform does: one slice per feature. Nothing here knows Ray, FastAPI or a brand's name."""

"""What the platform does: one slice per feature. Nothing here knows Ray or FastAPI, and no slice knows a brand's name."""

"""The features of the platform, one slice each. They depend on neither Ray nor FastAPI nor a brand's name."""

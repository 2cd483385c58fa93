"""A private platform to measure: started in a temporary folder on free ports, filled, loaded over HTTP, stopped."""

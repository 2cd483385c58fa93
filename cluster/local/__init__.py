"""What `make run` starts on one machine: private servers, a mail sink and a Ray node, under `.local/`."""

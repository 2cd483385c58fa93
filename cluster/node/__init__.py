"""What every node of a cluster runs, on one machine or on many."""

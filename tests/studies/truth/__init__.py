"""Ground truth at states, and agents held against it."""

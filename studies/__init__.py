"""Studies of many runs: grid refinement, observed orders, extrapolated values."""

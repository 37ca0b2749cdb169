"""Ground truth: optimal values, Q and policies at given states, with how far the grid is off, to score agents by."""

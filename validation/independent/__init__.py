"""What the solver computes, once more: dense arrays, NumPy alone, and no code of the solver's."""

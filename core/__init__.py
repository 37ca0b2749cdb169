"""What every floor stands on: array types, the door to numba, display, texts, the list of floors."""

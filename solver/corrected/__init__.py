"""Values corrected for what linear interpolation adds to them."""

"""Limited cubic interpolation of node values, for corrections of what linear interpolation makes of them."""

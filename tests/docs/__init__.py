"""The manual: its code runs, what it shows is what comes out, its reference is complete, its pages need no network."""

"""Certificates: rates that hold from now on, down to a stated level, and that tend to the sharp rate."""

"""Exact solutions against tables made without them."""

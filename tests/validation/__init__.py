"""Tests of the validation floor."""

"""Bytes on disk: run files, checkpoints, atomic writing, tolerant reading."""

"""What a run is, without numba: its settings, series, layout, stop criteria and provenance."""

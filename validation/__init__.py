"""Theory against numbers: exact solutions and refinement studies."""

"""Theory against numbers: constants, claims and their verdicts, exact solutions, limits of the theory."""

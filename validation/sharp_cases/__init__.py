"""Small problems on which the theory's inequalities are equalities, so that a constant a tenth too large fails."""

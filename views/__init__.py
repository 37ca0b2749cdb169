"""What people look at: tables, progress, figures, movies, the report."""

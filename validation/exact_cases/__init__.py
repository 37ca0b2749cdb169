"""Grid problems stated beside their exact flows, for errors and orders of convergence."""

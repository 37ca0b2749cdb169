"""Many runs over lists of keys: points, executors that carry them out, and one labelled result."""

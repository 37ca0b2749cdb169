"""Several flows on one problem: contestants, runs that are kept, what each took to which gap."""

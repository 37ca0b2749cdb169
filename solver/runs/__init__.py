"""A run: the flow observed, recorded, checkpointed, stopped, resumed."""

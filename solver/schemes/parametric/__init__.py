"""Time schemes for flows whose state is parameters."""

"""The pieces beneath the recipes. Sharp: each has preconditions that only the recipes guarantee."""

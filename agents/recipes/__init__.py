"""Published methods, each end to end from a base model to a trained one."""

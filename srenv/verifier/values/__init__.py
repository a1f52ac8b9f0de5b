"""Values: exact and numeric evaluation of expressions, with bounded work."""

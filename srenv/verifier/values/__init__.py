"""Values of expressions, with bounded work.

`exact` computes rational values, `numeric` computes many digits of the others, and `equality`
decides with both whether two expressions are equal.
"""

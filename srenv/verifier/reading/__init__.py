"""From the text of a turn to the tree of an answer.

`extract` finds the answer in a turn; `normalize` takes off its dressing; `tokens` splits it;
`grammar` parses one expression into a tree of `nodes`; `structure` reads lists, sets, relations and
matrices of expressions; `labels` tells the name of a quantity from its value.
"""

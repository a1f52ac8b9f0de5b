"""Reading: from the text of a turn to the tree of an answer."""

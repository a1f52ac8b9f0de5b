"""Rules: when two answers are equal, by kind of answer."""

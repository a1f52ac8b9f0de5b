"""Language-model agents that learn to correct themselves in `srenv` environments.

Everything here needs ``pip install "srenv[train]"``; `srenv` itself does not.
"""

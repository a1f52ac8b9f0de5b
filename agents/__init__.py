"""Language-model agents that learn to correct themselves in `srenv` environments.

Everything here needs ``pip install "srenv[train]"``; `srenv` itself does not.
"""

import os

# How long a thread of OpenMP spins before it sleeps, read when torch is imported. By default it
# spins so long that, next to another busy program, two threads take twice to five times as long as
# one; with this they take as long as one, and on an idle machine they are as fast as by default.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

"""Ways to make a model smaller or faster: one package each, none of which knows another.

Files:
    technique.py: `Technique`, how each package describes itself.
    registry.py: the list of all of them, and `register` for techniques from elsewhere.
    order.py: the orders of techniques that a recipe refuses.
    claimed.py: `Claimed`, what a technique claims about the file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

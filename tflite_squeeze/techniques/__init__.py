"""Ways to make a model smaller or faster: one package each, none of which knows another.

Files:
    technique.py: `Technique`, what each package says of itself.
    registry.py: the list of all of them, and `register` for techniques from elsewhere.
    order.py: which orders of techniques a recipe refuses.
    claimed.py: `Claimed`, what a technique says that the file will show.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

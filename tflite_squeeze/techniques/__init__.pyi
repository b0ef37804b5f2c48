from .claimed import Claimed as Claimed
from .registry import register as register
from .technique import Technique as Technique

from .data import Data as Data
from .data import load_data as load_data
from .preprocessing import Preprocessing as Preprocessing

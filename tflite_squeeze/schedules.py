"""How sparsity rises over the steps of training: schedules for `Prune(schedule=…)`."""

from tflite_squeeze.techniques.pruning.schedules import Constant as Constant
from tflite_squeeze.techniques.pruning.schedules import Exponential as Exponential
from tflite_squeeze.techniques.pruning.schedules import OneCycle as OneCycle
from tflite_squeeze.techniques.pruning.schedules import Polynomial as Polynomial
from tflite_squeeze.techniques.pruning.schedules import Stepwise as Stepwise

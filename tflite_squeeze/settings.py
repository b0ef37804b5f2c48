"""What some options of `Convert`, `Prune`, `Distill`, `Binarize` and of `tune` take."""

from tflite_squeeze.emission.quantization import Quantization as Quantization
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization as ActivationQuantization,
)
from tflite_squeeze.network.quantization.plan import QuantizationPlan as QuantizationPlan
from tflite_squeeze.network.quantization.plan import WeightQuantization as WeightQuantization
from tflite_squeeze.network.quantization.plan_files import load_plan as load_plan
from tflite_squeeze.network.quantization.plan_files import written_plan as written_plan
from tflite_squeeze.search.loggers import Loggers as Loggers
from tflite_squeeze.search.workers import Workers as Workers
from tflite_squeeze.techniques.binarization.config import LayerQuantizers as LayerQuantizers
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData as ScoringData
from tflite_squeeze.training.config import Hint as Hint

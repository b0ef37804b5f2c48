"""Parts of configs: what some options of `Convert`, `Prune`, `Distill` and `Binarize` take."""

from tflite_squeeze.emission.quantization import Quantization as Quantization
from tflite_squeeze.techniques.binarization.config import LayerQuantizers as LayerQuantizers
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData as ScoringData
from tflite_squeeze.training.config import Hint as Hint

"""What the verbs return: a model or a file, with the record of how it was made."""

from tflite_squeeze.conversion.convert import Converted as Converted
from tflite_squeeze.exporting.export_onnx import OnnxExport as OnnxExport
from tflite_squeeze.network.loading import LoadedModel as LoadedModel
from tflite_squeeze.recipes.run import Result as Result
from tflite_squeeze.search.tune import Tuned as Tuned
from tflite_squeeze.techniques.binarization.binarize import Binarized as Binarized
from tflite_squeeze.techniques.distillation.distill import Distilled as Distilled
from tflite_squeeze.techniques.entropy.penalize import Penalized as Penalized
from tflite_squeeze.techniques.l0.l0 import L0Pruned as L0Pruned
from tflite_squeeze.techniques.low_rank.factorize import Factorized as Factorized
from tflite_squeeze.techniques.narrowing.narrow import Narrowed as Narrowed
from tflite_squeeze.techniques.pruning.prune import Pruned as Pruned
from tflite_squeeze.techniques.quantization.quantize import Quantized as Quantized
from tflite_squeeze.techniques.sharing.cluster import Clustered as Clustered

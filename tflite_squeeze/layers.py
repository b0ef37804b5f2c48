"""Layers for model definitions, in both versions of Keras, and the ways back to plain layers."""

from tflite_squeeze.techniques.low_rank.layers import FactorizedConv2D as FactorizedConv2D
from tflite_squeeze.techniques.low_rank.layers import FactorizedDense as FactorizedDense
from tflite_squeeze.techniques.low_rank.layers import merge as merge
from tflite_squeeze.techniques.low_rank.layers import unfold as unfold
from tflite_squeeze.techniques.pruning.prunable import Prunable as Prunable
from tflite_squeeze.techniques.pruning.prunable import strip as strip

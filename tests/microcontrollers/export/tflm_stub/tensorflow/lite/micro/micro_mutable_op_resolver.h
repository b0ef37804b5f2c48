// A stand-in for TFLM's header of this name: its methods, and that it holds so many and no more.
#ifndef STUB_MICRO_MUTABLE_OP_RESOLVER_H_
#define STUB_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

template <unsigned int kMost>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
#define STUB_OPERATOR(method) \
  TfLiteStatus method() { return held_++ < kMost ? kTfLiteOk : kTfLiteError; }
  STUB_OPERATOR(AddAbs) STUB_OPERATOR(AddAdd) STUB_OPERATOR(AddAddN) STUB_OPERATOR(AddArgMax)
  STUB_OPERATOR(AddArgMin) STUB_OPERATOR(AddAssignVariable) STUB_OPERATOR(AddAveragePool2D)
  STUB_OPERATOR(AddBatchMatMul) STUB_OPERATOR(AddBatchToSpaceNd) STUB_OPERATOR(AddBroadcastArgs)
  STUB_OPERATOR(AddBroadcastTo) STUB_OPERATOR(AddCallOnce) STUB_OPERATOR(AddCast)
  STUB_OPERATOR(AddCeil) STUB_OPERATOR(AddCircularBuffer) STUB_OPERATOR(AddConcatenation)
  STUB_OPERATOR(AddConv2D) STUB_OPERATOR(AddCos) STUB_OPERATOR(AddCumSum)
  STUB_OPERATOR(AddDecode) STUB_OPERATOR(AddDelay) STUB_OPERATOR(AddDepthToSpace)
  STUB_OPERATOR(AddDepthwiseConv2D) STUB_OPERATOR(AddDequantize)
  STUB_OPERATOR(AddDetectionPostprocess) STUB_OPERATOR(AddDiv)
  STUB_OPERATOR(AddDynamicUpdateSlice) STUB_OPERATOR(AddElu) STUB_OPERATOR(AddEmbeddingLookup)
  STUB_OPERATOR(AddEnergy) STUB_OPERATOR(AddEqual) STUB_OPERATOR(AddEthosU)
  STUB_OPERATOR(AddExp) STUB_OPERATOR(AddExpandDims) STUB_OPERATOR(AddFftAutoScale)
  STUB_OPERATOR(AddFill) STUB_OPERATOR(AddFilterBank) STUB_OPERATOR(AddFilterBankLog)
  STUB_OPERATOR(AddFilterBankSpectralSubtraction) STUB_OPERATOR(AddFilterBankSquareRoot)
  STUB_OPERATOR(AddFloor) STUB_OPERATOR(AddFloorDiv) STUB_OPERATOR(AddFloorMod)
  STUB_OPERATOR(AddFramer) STUB_OPERATOR(AddFullyConnected) STUB_OPERATOR(AddGather)
  STUB_OPERATOR(AddGatherNd) STUB_OPERATOR(AddGreater) STUB_OPERATOR(AddGreaterEqual)
  STUB_OPERATOR(AddHardSwish) STUB_OPERATOR(AddIf) STUB_OPERATOR(AddIrfft)
  STUB_OPERATOR(AddL2Normalization) STUB_OPERATOR(AddL2Pool2D) STUB_OPERATOR(AddLeakyRelu)
  STUB_OPERATOR(AddLess) STUB_OPERATOR(AddLessEqual) STUB_OPERATOR(AddLog)
  STUB_OPERATOR(AddLogSoftmax) STUB_OPERATOR(AddLogicalAnd) STUB_OPERATOR(AddLogicalNot)
  STUB_OPERATOR(AddLogicalOr) STUB_OPERATOR(AddLogistic) STUB_OPERATOR(AddMaxPool2D)
  STUB_OPERATOR(AddMaximum) STUB_OPERATOR(AddMean) STUB_OPERATOR(AddMinimum)
  STUB_OPERATOR(AddMirrorPad) STUB_OPERATOR(AddMul) STUB_OPERATOR(AddNeg)
  STUB_OPERATOR(AddNotEqual) STUB_OPERATOR(AddOverlapAdd) STUB_OPERATOR(AddPCAN)
  STUB_OPERATOR(AddPack) STUB_OPERATOR(AddPad) STUB_OPERATOR(AddPadV2) STUB_OPERATOR(AddPrelu)
  STUB_OPERATOR(AddQuantize) STUB_OPERATOR(AddReadVariable) STUB_OPERATOR(AddReduceAll)
  STUB_OPERATOR(AddReduceMax) STUB_OPERATOR(AddReduceMin) STUB_OPERATOR(AddRelu)
  STUB_OPERATOR(AddRelu6) STUB_OPERATOR(AddReshape) STUB_OPERATOR(AddResizeBilinear)
  STUB_OPERATOR(AddResizeNearestNeighbor) STUB_OPERATOR(AddReverseV2) STUB_OPERATOR(AddRfft)
  STUB_OPERATOR(AddRound) STUB_OPERATOR(AddRsqrt) STUB_OPERATOR(AddSelectV2)
  STUB_OPERATOR(AddShape) STUB_OPERATOR(AddSin) STUB_OPERATOR(AddSlice)
  STUB_OPERATOR(AddSoftmax) STUB_OPERATOR(AddSpaceToBatchNd) STUB_OPERATOR(AddSpaceToDepth)
  STUB_OPERATOR(AddSplit) STUB_OPERATOR(AddSplitV) STUB_OPERATOR(AddSqrt)
  STUB_OPERATOR(AddSquare) STUB_OPERATOR(AddSquaredDifference) STUB_OPERATOR(AddSqueeze)
  STUB_OPERATOR(AddStacker) STUB_OPERATOR(AddStridedSlice) STUB_OPERATOR(AddSub)
  STUB_OPERATOR(AddSum) STUB_OPERATOR(AddSvdf) STUB_OPERATOR(AddTanh)
  STUB_OPERATOR(AddTranspose) STUB_OPERATOR(AddTransposeConv)
  STUB_OPERATOR(AddUnidirectionalSequenceLSTM) STUB_OPERATOR(AddUnpack)
  STUB_OPERATOR(AddVarHandle) STUB_OPERATOR(AddWhile) STUB_OPERATOR(AddWindow)
  STUB_OPERATOR(AddZerosLike)
#undef STUB_OPERATOR

  bool IsFull() const override { return held_ == kMost; }

 private:
  unsigned int held_ = 0;
};

}  // namespace tflite

#endif  // STUB_MICRO_MUTABLE_OP_RESOLVER_H_

// Float LSTM, GRU and RNN with constant weights, as ONNX defines them with their default activations. Floor 4. Tested beside the
// interpreter in tests/random_graph.
#ifndef OMKIT_BACKENDS_KERNELS_RECURRENT_F32_RECURRENT_F32_H_
#define OMKIT_BACKENDS_KERNELS_RECURRENT_F32_RECURRENT_F32_H_

#include <cstdint>
#include <string>

#include "base/cpu.h"

namespace omkit::kernels {

enum class RecurrentCell : int32_t { kRnn = 0, kGru = 1, kLstm = 2 };

constexpr int64_t RecurrentGates(RecurrentCell cell) { return cell == RecurrentCell::kLstm ? 4 : cell == RecurrentCell::kGru ? 3 : 1; }

// Gates lie beside each other, each padded with zeros to `padded` = hidden rounded up to 16; a row of all gates is `gates * padded` floats.
// Operands: 0 x [time][batch][input], 1 W [directions][input][row], 2 R [directions][hidden][row], 3 bias of x's product [directions][row],
// 4 bias of h's product [directions][row] (read by linear_before_reset only; the caller adds it to operand 3 otherwise),
// 5 first h [directions][batch][hidden], 6 first c (as h; read by LSTM only), 7 Y [time][directions][batch][hidden], 8 last h, 9 last c.
// `outputs` says which of the last three are written: bit 0, 1, 2; the others may be any operand.
struct RecurrentF32Params {
  int64_t time, batch, input, hidden, directions;
  RecurrentCell cell;
  int32_t reverse;  // a single direction runs from the last step to the first; of two the second does
  int32_t linear_before_reset;
  int32_t outputs;
};

// "recurrent_f32.<isa>".
std::string RecurrentF32Kernel(Isa isa);
void RegisterRecurrentF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_RECURRENT_F32_RECURRENT_F32_H_

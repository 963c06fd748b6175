// If, Loop and Scan of ONNX 23.
//
// Inputs behind the standard's own are what the bodies read from the graph around them; a body's inputs are the standard's, then these.
//   If    inputs cond, captured...                     bodies then, else; body inputs captured
//   Loop  inputs M, cond, v (attribute states), captured   body inputs iteration, cond, v, captured; body outputs cond, v, scan outputs
//   Scan  inputs state (attribute states), scan inputs (num_scan_inputs), captured   body inputs in the same order
// Attributes unusable_branch (0: then, 1: else) and unusable_why of If are omkit's: taking that branch is an error.
// Shapes that differ between branches or iterations are unknown to inference.
#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/body.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status CheckBodies(absl::Span<const std::shared_ptr<const Graph>> bodies, size_t count, size_t inputs, size_t outputs) {
  if (bodies.size() != count) return absl::InvalidArgumentError(absl::StrCat("has ", bodies.size(), " bodies, expected ", count));
  for (const auto& body : bodies) {
    if (body->inputs().size() != inputs || body->outputs().size() != outputs) {
      return absl::InvalidArgumentError(absl::StrCat("a body has ", body->inputs().size(), " inputs and ", body->outputs().size(),
                                                     " outputs, expected ", inputs, " and ", outputs));
    }
  }
  return absl::OkStatus();
}

bool AllConstant(const InferContext& ctx) {
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.has_input(i) && ctx.constant(i) == nullptr) return false;
  }
  return true;
}

// With every input known the results are too; false when they would take long to find.
absl::StatusOr<bool> InferByRunning(InferContext& ctx) {
  if (!AllConstant(ctx)) return false;
  std::vector<const Tensor*> inputs;
  for (int i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.constant(i));
  OMKIT_ASSIGN_OR_RETURN(const auto results, FoldControl(ctx.node(), inputs));
  if (!results) return false;
  for (int i = 0; i < ctx.num_outputs(); ++i) ctx.SetOutput(i, (*results)[i].dtype(), (*results)[i].shape());
  return true;
}

// Takes what one iteration delivers from the budget.
absl::Status Spend(absl::Span<const Tensor> delivered, RunBudget& budget) {
  for (const Tensor& t : delivered) budget.bytes -= static_cast<int64_t>(t.bytes());
  if (--budget.iterations < 0) return absl::ResourceExhaustedError("loops run for too many iterations; a condition may never turn false");
  if (budget.bytes < 0) return absl::ResourceExhaustedError("the results of iterations take too much memory");
  return absl::OkStatus();
}

// The shape that covers both: dimensions that differ are unknown.
absl::Status Merge(const TensorType& other, TensorType* type) {
  if (other.dtype != type->dtype || other.shape.rank() != type->shape.rank()) {
    return absl::UnimplementedError(absl::StrCat("a result is ", type->ToString(), " on one path and ", other.ToString(), " on another"));
  }
  std::vector<int64_t> dims = type->shape.vec();
  for (int d = 0; d < other.shape.rank(); ++d) {
    if (dims[d] != other.shape.dim(d)) dims[d] = kUnknownDim;
  }
  type->shape = Shape(std::move(dims));
  return absl::OkStatus();
}

// Types of captured inputs from node input `first` on, with their constants.
void AppendCaptured(const InferContext& ctx, int first, std::vector<TensorType>* types, std::vector<const Tensor*>* constants) {
  for (int i = first; i < ctx.num_inputs(); ++i) {
    types->push_back(ctx.input(i));
    constants->push_back(ctx.constant(i));
  }
}

// Infers a loop body until the types of its states hold for every iteration. `types` starts with `before` inputs that are no states.
absl::StatusOr<std::vector<TensorType>> InferIterations(const Graph& body, int before, int states, int output_before, std::vector<TensorType> types,
                                                        absl::Span<const Tensor* const> constants) {
  for (int round = 0; round <= kMaxRank + 1; ++round) {
    OMKIT_ASSIGN_OR_RETURN(std::vector<TensorType> outputs, InferBody(body, types, constants));
    bool stable = true;
    for (int s = 0; s < states; ++s) {
      TensorType merged = types[before + s];
      OMKIT_RETURN_IF_ERROR(Merge(outputs[output_before + s], &merged));
      stable = stable && merged.shape == types[before + s].shape;
      types[before + s] = merged;
    }
    if (!stable) continue;
    for (int s = 0; s < states; ++s) outputs[output_before + s] = types[before + s];
    return outputs;
  }
  return absl::InternalError("the types of the states do not settle");
}

// A number or truth value in the form that the body declares for it: rank 0, or one element of rank 1.
template <typename T>
Tensor ScalarFor(const Graph& body, int input, T value) {
  const TensorType& declared = body.value(body.inputs()[input]).type;
  const bool vector = declared.dtype != DType::kUndefined && declared.shape.rank() == 1;
  return Tensor::Of<T>(vector ? Shape{1} : Shape{}, {value});
}

absl::StatusOr<bool> Truth(const Tensor& cond) {
  if (cond.dtype() != DType::kBool || cond.elements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("the condition is ", cond.type().ToString(), ", expected one bool"));
  }
  return IntegerAt(cond, 0) != 0;
}

absl::StatusOr<std::vector<Tensor>> RunIf(const Attrs& attrs, absl::Span<const std::shared_ptr<const Graph>> bodies,
                                          absl::Span<const Tensor* const> inputs, RunBudget& budget) {
  OMKIT_ASSIGN_OR_RETURN(const bool cond, Truth(*inputs[0]));
  if (attrs.Int("unusable_branch", -1) == (cond ? 0 : 1)) return absl::InvalidArgumentError(attrs.String("unusable_why", ""));
  OMKIT_ASSIGN_OR_RETURN(auto runner, BodyRunner::Make(*bodies[cond ? 0 : 1]));
  std::vector<Tensor> captured;
  for (size_t i = 1; i < inputs.size(); ++i) captured.push_back(*inputs[i]);
  return runner->Run(captured, budget);
}

// The empty sequence of a scan output whose body never ran.
absl::StatusOr<Tensor> EmptyScan(const TensorType& element, int axis) {
  std::vector<int64_t> dims = element.shape.vec();
  std::replace(dims.begin(), dims.end(), kUnknownDim, int64_t{0});
  dims.insert(dims.begin() + axis, 0);
  return Tensor::Allocate(element.dtype, Shape(std::move(dims)));
}

absl::StatusOr<std::vector<Tensor>> RunLoop(const Attrs& attrs, const Graph& body, absl::Span<const Tensor* const> inputs, int num_outputs,
                                            RunBudget& budget) {
  const int states = static_cast<int>(attrs.Int("states", 0));
  int64_t trips = std::numeric_limits<int64_t>::max();
  if (inputs[0] != nullptr) trips = IntegerAt(*inputs[0], 0);
  bool cond = true;
  if (inputs[1] != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(cond, Truth(*inputs[1]));
  }
  OMKIT_ASSIGN_OR_RETURN(auto runner, BodyRunner::Make(body));
  std::vector<Tensor> state;
  for (size_t i = 2; i < inputs.size(); ++i) state.push_back(*inputs[i]);
  std::vector<std::vector<Tensor>> scans(num_outputs - states);
  for (int64_t i = 0; cond && i < trips; ++i) {
    std::vector<Tensor> in = {ScalarFor<int64_t>(body, 0, i), ScalarFor<bool>(body, 1, cond)};
    in.insert(in.end(), state.begin(), state.end());
    OMKIT_ASSIGN_OR_RETURN(std::vector<Tensor> out, runner->Run(in, budget));
    OMKIT_RETURN_IF_ERROR(Spend(out, budget));
    OMKIT_ASSIGN_OR_RETURN(cond, Truth(out[0]));
    std::copy_n(out.begin() + 1, states, state.begin());
    for (size_t s = 0; s < scans.size(); ++s) scans[s].push_back(out[1 + states + s]);
  }
  std::vector<Tensor> results(state.begin(), state.begin() + states);
  std::vector<TensorType> elements;
  if (!scans.empty() && scans[0].empty()) {
    std::vector<TensorType> types = {ScalarFor<int64_t>(body, 0, 0).type(), ScalarFor<bool>(body, 1, true).type()};
    for (const Tensor& t : state) types.push_back(t.type());
    OMKIT_ASSIGN_OR_RETURN(elements, InferBody(body, types, std::vector<const Tensor*>(types.size(), nullptr)));
  }
  for (size_t s = 0; s < scans.size(); ++s) {
    OMKIT_ASSIGN_OR_RETURN(Tensor scan, scans[s].empty() ? EmptyScan(elements[1 + states + s], 0) : Stack(scans[s], 0));
    results.push_back(std::move(scan));
  }
  return results;
}

absl::StatusOr<std::vector<Tensor>> RunScan(const Attrs& attrs, const Graph& body, absl::Span<const Tensor* const> inputs, int num_outputs,
                                            RunBudget& budget) {
  OMKIT_ASSIGN_OR_RETURN(const ScanForm form, ReadScanForm(attrs, static_cast<int>(inputs.size()), num_outputs));
  OMKIT_ASSIGN_OR_RETURN(auto runner, BodyRunner::Make(body));
  std::vector<int> axes;
  int64_t length = -1;
  for (int s = 0; s < form.scans; ++s) {
    const Shape& shape = inputs[form.states + s]->shape();
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(form.input_axes[s], shape.rank()));
    axes.push_back(axis);
    if (length >= 0 && shape.dim(axis) != length) return absl::InvalidArgumentError("the sequences have different lengths");
    length = shape.dim(axis);
  }
  std::vector<Tensor> state;
  for (int s = 0; s < form.states; ++s) state.push_back(*inputs[s]);
  std::vector<std::vector<Tensor>> scans(form.scan_outputs);
  for (int64_t t = 0; t < length; ++t) {
    std::vector<Tensor> in = state;
    for (int s = 0; s < form.scans; ++s) {
      OMKIT_ASSIGN_OR_RETURN(Tensor slice, SliceOf(*inputs[form.states + s], axes[s], form.input_directions[s] == 0 ? t : length - 1 - t));
      in.push_back(std::move(slice));
    }
    for (size_t i = form.states + form.scans; i < inputs.size(); ++i) in.push_back(*inputs[i]);
    OMKIT_ASSIGN_OR_RETURN(std::vector<Tensor> out, runner->Run(in, budget));
    OMKIT_RETURN_IF_ERROR(Spend(out, budget));
    std::copy_n(out.begin(), form.states, state.begin());
    for (int s = 0; s < form.scan_outputs; ++s) scans[s].push_back(out[form.states + s]);
  }
  std::vector<Tensor> results = std::move(state);
  for (int s = 0; s < form.scan_outputs; ++s) {
    if (scans[s].empty()) return absl::UnimplementedError("a Scan over empty sequences");
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(form.output_axes[s], scans[s][0].shape().rank() + 1));
    if (form.output_directions[s] != 0) std::reverse(scans[s].begin(), scans[s].end());
    OMKIT_ASSIGN_OR_RETURN(Tensor scan, Stack(scans[s], axis));
    results.push_back(std::move(scan));
  }
  return results;
}

// Runs the node and copies its results to where they belong.
absl::Status EvalControl(OpKind op, const EvalContext& ctx) {
  RunBudget budget;
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> results, RunControl(op, ctx.attrs, ctx.bodies, ctx.inputs, ctx.num_outputs(), budget));
  for (int i = 0; i < ctx.num_outputs(); ++i) {
    Tensor& out = ctx.output(i);
    if (results[i].dtype() != out.dtype() || results[i].shape() != out.shape()) {
      return absl::InvalidArgumentError(absl::StrCat("result ", i, " is ", results[i].type().ToString(), ", expected ", out.type().ToString()));
    }
    std::memcpy(out.mutable_raw(), results[i].raw(), out.bytes());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ScanForm> ReadScanForm(const Attrs& attrs, int num_inputs, int num_outputs) {
  ScanForm form;
  const int64_t states = attrs.Int("states", 0), scans = attrs.Int("num_scan_inputs", 0);
  if (states < 0 || scans < 1 || states > num_inputs - scans || states > num_outputs) {
    return absl::InvalidArgumentError(
        absl::StrCat(states, " states and ", scans, " scan inputs for ", num_inputs, " inputs and ", num_outputs, " outputs"));
  }
  form.states = static_cast<int>(states);
  form.scans = static_cast<int>(scans);
  form.scan_outputs = num_outputs - form.states;
  const auto read = [&](const char* name, int count, bool is_direction, std::vector<int64_t>* list) -> absl::Status {
    *list = attrs.Ints(name);
    if (list->empty()) list->assign(count, 0);
    if (static_cast<int>(list->size()) != count)
      return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " has ", list->size(), " entries, expected ", count));
    for (int64_t v : *list) {
      if (is_direction && v != 0 && v != 1)
        return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " holds ", v, ", allowed are 0 and 1"));
    }
    return absl::OkStatus();
  };
  OMKIT_RETURN_IF_ERROR(read("scan_input_axes", form.scans, false, &form.input_axes));
  OMKIT_RETURN_IF_ERROR(read("scan_input_directions", form.scans, true, &form.input_directions));
  OMKIT_RETURN_IF_ERROR(read("scan_output_axes", form.scan_outputs, false, &form.output_axes));
  OMKIT_RETURN_IF_ERROR(read("scan_output_directions", form.scan_outputs, true, &form.output_directions));
  return form;
}

absl::StatusOr<std::vector<Tensor>> RunControl(OpKind op, const Attrs& attrs, absl::Span<const std::shared_ptr<const Graph>> bodies,
                                               absl::Span<const Tensor* const> inputs, int num_outputs, RunBudget& budget) {
  switch (op) {
    case OpKind::kIf: return RunIf(attrs, bodies, inputs, budget);
    case OpKind::kLoop: return RunLoop(attrs, *bodies[0], inputs, num_outputs, budget);
    default: return RunScan(attrs, *bodies[0], inputs, num_outputs, budget);
  }
}

absl::Status CheckControl(const Node& node) {
  const auto num_inputs = static_cast<int>(node.inputs.size()), num_outputs = static_cast<int>(node.outputs.size());
  int optional = 0, outputs = num_outputs;
  if (node.op == OpKind::kIf) {
    if (num_inputs < 1) return absl::InvalidArgumentError("lacks its condition");
    return CheckBodies(node.bodies, 2, node.inputs.size() - 1, node.outputs.size());
  }
  if (node.op == OpKind::kLoop) {
    const int64_t states = node.attrs.Int("states", 0);
    if (num_inputs < 2 || states < 0 || states > num_inputs - 2 || states > num_outputs) {
      return absl::InvalidArgumentError(absl::StrCat(states, " states for ", num_inputs, " inputs and ", num_outputs, " outputs"));
    }
    optional = 2;
    ++outputs;
  } else {
    OMKIT_RETURN_IF_ERROR(ReadScanForm(node.attrs, num_inputs, num_outputs).status());
  }
  for (int i = optional; i < num_inputs; ++i) {
    if (node.inputs[i] == kNoValue) return absl::InvalidArgumentError(absl::StrCat("lacks its input ", i));
  }
  return CheckBodies(node.bodies, 1, node.inputs.size(), outputs);
}

absl::Status InferIf(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckControl(ctx.node()));
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 0));
  OMKIT_ASSIGN_OR_RETURN(const bool known, InferByRunning(ctx));
  if (known) return absl::OkStatus();
  std::vector<TensorType> types;
  std::vector<const Tensor*> constants;
  AppendCaptured(ctx, 1, &types, &constants);
  const Tensor* cond = ctx.constant(0);
  std::vector<TensorType> outputs;
  absl::Status failed;
  for (int branch = 0; branch < 2; ++branch) {
    if (cond != nullptr && (cond->elements() != 1 || (IntegerAt(*cond, 0) != 0) != (branch == 0))) continue;
    auto inferred = InferBody(*ctx.node().bodies[branch], types, constants);
    if (!inferred.ok()) {
      // A branch that is written for other shapes may never be taken with these; running it is the error.
      failed = Annotate(inferred.status(), branch == 0 ? "then_branch" : "else_branch");
      continue;
    }
    if (outputs.empty()) {
      outputs = *std::move(inferred);
      continue;
    }
    for (size_t i = 0; i < outputs.size(); ++i) OMKIT_RETURN_IF_ERROR(Merge((*inferred)[i], &outputs[i]));
  }
  if (outputs.empty()) return failed.ok() ? absl::InvalidArgumentError("the condition must be one bool") : failed;
  for (int i = 0; i < ctx.num_outputs(); ++i) ctx.SetOutput(i, outputs[i].dtype, outputs[i].shape);
  return absl::OkStatus();
}

absl::Status InferLoop(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckControl(ctx.node()));
  const int states = static_cast<int>(ctx.attrs().Int("states", 0));
  if (ctx.has_input(0) && (ctx.dtype(0) != DType::kInt64 || (ctx.shape(0).IsStatic() && ctx.shape(0).elements() != 1))) {
    return absl::InvalidArgumentError(absl::StrCat("the trip count is ", ctx.input(0).ToString(), ", expected one int64"));
  }
  if (ctx.has_input(1)) OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(const bool known, InferByRunning(ctx));
  if (known) return absl::OkStatus();
  const Graph& body = *ctx.node().bodies[0];
  std::vector<TensorType> types = {ScalarFor<int64_t>(body, 0, 0).type(), ScalarFor<bool>(body, 1, true).type()};
  std::vector<const Tensor*> constants = {nullptr, nullptr};
  AppendCaptured(ctx, 2, &types, &constants);
  std::fill_n(constants.begin() + 2, states, nullptr);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<TensorType> outputs, InferIterations(body, 2, states, 1, types, constants));
  for (int s = 0; s < states; ++s) ctx.SetOutput(s, outputs[1 + s].dtype, outputs[1 + s].shape);
  // Only a trip count is no promise: the condition may end the loop earlier.
  const ValueId cond_out = body.outputs()[0];
  const bool runs_through =
      (!ctx.has_input(1) || (ctx.constant(1) != nullptr && ctx.constant(1)->elements() == 1 && IntegerAt(*ctx.constant(1), 0) != 0)) &&
      (cond_out == body.inputs()[1] ||
       (body.IsConstant(cond_out) && body.value(cond_out).constant.elements() == 1 && IntegerAt(body.value(cond_out).constant, 0) != 0));
  int64_t trips = kUnknownDim;
  if (runs_through && ctx.constant(0) != nullptr && ctx.constant(0)->elements() == 1) trips = std::max<int64_t>(IntegerAt(*ctx.constant(0), 0), 0);
  for (int i = states; i < ctx.num_outputs(); ++i) {
    std::vector<int64_t> dims = outputs[1 + i].shape.vec();
    dims.insert(dims.begin(), trips);
    OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, i, outputs[1 + i].dtype, Shape(std::move(dims))));
  }
  return absl::OkStatus();
}

absl::Status InferScan(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckControl(ctx.node()));
  OMKIT_ASSIGN_OR_RETURN(const ScanForm form, ReadScanForm(ctx.attrs(), ctx.num_inputs(), ctx.num_outputs()));
  int64_t length = kUnknownDim;
  std::vector<TensorType> types;
  std::vector<const Tensor*> constants;
  for (int i = 0; i < form.states + form.scans; ++i) {
    TensorType type = ctx.input(i);
    if (i >= form.states) {
      OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(form.input_axes[i - form.states], type.shape.rank()));
      std::vector<int64_t> dims = type.shape.vec();
      if (Conflict(length, dims[axis])) return absl::InvalidArgumentError("the sequences have different lengths");
      if (dims[axis] != kUnknownDim) length = dims[axis];
      dims.erase(dims.begin() + axis);
      type.shape = Shape(std::move(dims));
    }
    types.push_back(std::move(type));
    constants.push_back(nullptr);
  }
  AppendCaptured(ctx, form.states + form.scans, &types, &constants);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<TensorType> outputs, InferIterations(*ctx.node().bodies[0], 0, form.states, 0, types, constants));
  for (int i = 0; i < ctx.num_outputs(); ++i) {
    std::vector<int64_t> dims = outputs[i].shape.vec();
    if (i >= form.states) {
      OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(form.output_axes[i - form.states], static_cast<int>(dims.size()) + 1));
      dims.insert(dims.begin() + axis, length);
    }
    OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, i, outputs[i].dtype, Shape(std::move(dims))));
  }
  return absl::OkStatus();
}

absl::Status EvalIf(const EvalContext& ctx) { return EvalControl(OpKind::kIf, ctx); }
absl::Status EvalLoop(const EvalContext& ctx) { return EvalControl(OpKind::kLoop, ctx); }
absl::Status EvalScan(const EvalContext& ctx) { return EvalControl(OpKind::kScan, ctx); }

}  // namespace omkit::ir

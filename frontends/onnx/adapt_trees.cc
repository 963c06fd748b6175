// Decision trees of ai.onnx.ml. TreeEnsemble (5) goes through as it is. TreeEnsembleRegressor and TreeEnsembleClassifier (1 to 3), which
// scikit-learn's, LightGBM's and XGBoost's converters write, become TreeEnsemble: nodes and leaves apart, numbers for names, and several
// votes per leaf (ir/ops/trees.cc). The classifier's label is the class of the greatest sum of votes; where the standard is silent, about
// two classes with votes for one, results are ONNX Runtime's.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"
#include "frontends/onnx/quoted.h"

namespace omkit::frontends::adapters {
namespace {

using ir::OpKind;
using ir::ValueId;
using Ints = std::vector<int64_t>;

constexpr absl::string_view kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"};
constexpr absl::string_view kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
constexpr absl::string_view kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};

template <size_t N>
absl::StatusOr<int64_t> NumberOf(const OnnxNode& node, absl::string_view attribute, absl::string_view fallback, const absl::string_view (&names)[N]) {
  const std::string name = node.attrs.String(attribute, fallback);
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) return absl::InvalidArgumentError(absl::StrCat("attribute ", attribute, " is ", Quoted(name)));
  return found - std::begin(names);
}

// Floats, or the tensor "<name>_as_tensor", of the type the trees compare in.
absl::StatusOr<Tensor> Numbers(const OnnxNode& node, const std::string& name, DType dtype) {
  const std::vector<float> floats = node.attrs.Floats(name);
  const ir::Attr* attr = node.attrs.Find(absl::StrCat(name, "_as_tensor"));
  const Tensor* tensor = attr == nullptr ? nullptr : std::get_if<Tensor>(attr);
  if (tensor != nullptr && !floats.empty()) return absl::InvalidArgumentError(absl::StrCat("has both ", name, " and ", name, "_as_tensor"));
  if (tensor != nullptr && !IsFloat(tensor->dtype())) return absl::InvalidArgumentError(absl::StrCat(name, "_as_tensor is not of a float type"));
  const int64_t size = tensor != nullptr ? tensor->elements() : static_cast<int64_t>(floats.size());
  OMKIT_ASSIGN_OR_RETURN(Tensor numbers, Tensor::Allocate(dtype, Shape{size}));
  for (int64_t i = 0; i < size; ++i) {
    const double value = tensor != nullptr ? RealAt(*tensor, i) : floats[i];
    if (dtype == DType::kFloat64) numbers.mutable_data<double>()[i] = value;
    else numbers.mutable_data<float>()[i] = static_cast<float>(value);
  }
  return numbers;
}

// The nodes of all trees as the attributes list them.
struct NodeTable {
  Ints trees, ids, features, on_true, on_false, missing;
  std::vector<std::string> modes;
  Tensor splits;
  std::map<std::pair<int64_t, int64_t>, int64_t> row_of;  // (tree, id) -> row

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  bool IsLeaf(int64_t row) const { return modes[row] == "LEAF"; }
};

absl::StatusOr<NodeTable> ReadNodes(const OnnxNode& node, DType dtype) {
  NodeTable table;
  const ir::Attrs& attrs = node.attrs;
  table.trees = attrs.Ints("nodes_treeids");
  table.ids = attrs.Ints("nodes_nodeids");
  table.features = attrs.Ints("nodes_featureids");
  table.on_true = attrs.Ints("nodes_truenodeids");
  table.on_false = attrs.Ints("nodes_falsenodeids");
  table.missing = attrs.Ints("nodes_missing_value_tracks_true");
  if (const ir::Attr* modes = attrs.Find("nodes_modes")) table.modes = std::get<std::vector<std::string>>(*modes);
  OMKIT_ASSIGN_OR_RETURN(table.splits, Numbers(node, "nodes_values", dtype));
  const auto n = static_cast<size_t>(table.size());
  if (table.missing.empty()) table.missing.assign(n, 0);
  const std::pair<const char*, size_t> sizes[] = {
      {"nodes_treeids", table.trees.size()},
      {"nodes_featureids", table.features.size()},
      {"nodes_truenodeids", table.on_true.size()},
      {"nodes_falsenodeids", table.on_false.size()},
      {"nodes_missing_value_tracks_true", table.missing.size()},
      {"nodes_modes", table.modes.size()},
      {"nodes_values", static_cast<size_t>(table.splits.elements())},
  };
  for (const auto& [name, size] : sizes) {
    if (size != n) return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " has ", size, " entries, nodes_nodeids ", n));
  }
  for (int64_t row = 0; row < table.size(); ++row) {
    if (!table.row_of.emplace(std::pair(table.trees[row], table.ids[row]), row).second) {
      return absl::InvalidArgumentError(absl::StrCat("tree ", table.trees[row], " has two nodes ", table.ids[row]));
    }
  }
  return table;
}

struct Vote {
  int64_t target;
  double weight;
};

// Votes by row of the node table.
absl::StatusOr<std::map<int64_t, std::vector<Vote>>> ReadVotes(const OnnxNode& node, const std::string& prefix, const NodeTable& table) {
  const Ints trees = node.attrs.Ints(prefix + "_treeids"), ids = node.attrs.Ints(prefix + "_nodeids"), targets = node.attrs.Ints(prefix + "_ids");
  OMKIT_ASSIGN_OR_RETURN(const Tensor weights, Numbers(node, prefix + "_weights", DType::kFloat64));
  if (trees.size() != ids.size() || targets.size() != ids.size() || weights.elements() != static_cast<int64_t>(ids.size())) {
    return absl::InvalidArgumentError(absl::StrCat("the attributes ", prefix, "_* differ in length"));
  }
  std::map<int64_t, std::vector<Vote>> votes;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = table.row_of.find({trees[i], ids[i]});
    if (row == table.row_of.end() || !table.IsLeaf(row->second)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute ", prefix, "_nodeids names node ", ids[i], " of tree ", trees[i], ", which is no leaf"));
    }
    votes[row->second].push_back({targets[i], weights.data<double>()[i]});
  }
  return votes;
}

// Rows of branches and of leaves, each numbered by itself; a tree of one leaf gets a branch that leads to it either way.
struct Numbering {
  Ints place;        // row -> its number among its kind
  Ints branch_rows;  // number -> row; of a lone leaf: -1 - row
  Ints leaf_rows;
  Ints roots;
};

absl::StatusOr<Numbering> NumberNodes(const NodeTable& table) {
  Numbering n;
  n.place.resize(table.size());
  std::vector<bool> has_parent(table.size(), false);
  for (int64_t row = 0; row < table.size(); ++row) {
    Ints& rows = table.IsLeaf(row) ? n.leaf_rows : n.branch_rows;
    n.place[row] = static_cast<int64_t>(rows.size());
    rows.push_back(row);
    if (table.IsLeaf(row)) continue;
    for (const int64_t child : {table.on_true[row], table.on_false[row]}) {
      const auto found = table.row_of.find({table.trees[row], child});
      if (found == table.row_of.end()) return absl::InvalidArgumentError(absl::StrCat("tree ", table.trees[row], " has no node ", child));
      has_parent[found->second] = true;
    }
  }
  std::set<int64_t> rooted;
  Ints reached;
  for (int64_t row = 0; row < table.size(); ++row) {
    if (has_parent[row]) continue;
    if (!rooted.insert(table.trees[row]).second) return absl::InvalidArgumentError(absl::StrCat("tree ", table.trees[row], " has two roots"));
    reached.push_back(row);
    n.roots.push_back(table.IsLeaf(row) ? static_cast<int64_t>(n.branch_rows.size()) : n.place[row]);
    if (table.IsLeaf(row)) n.branch_rows.push_back(-1 - row);
  }
  std::vector<bool> seen(table.size(), false);
  for (size_t i = 0; i < reached.size(); ++i) {
    if (table.IsLeaf(reached[i])) continue;
    for (const int64_t child : {table.on_true[reached[i]], table.on_false[reached[i]]}) {
      const int64_t row = table.row_of.at({table.trees[reached[i]], child});
      if (!seen[row]) reached.push_back(row);
      seen[row] = true;
    }
  }
  for (int64_t row = 0; row < table.size(); ++row) {
    if (seen[row] || !has_parent[row]) continue;
    return absl::InvalidArgumentError(absl::StrCat("node ", table.ids[row], " of tree ", table.trees[row], " is not below a root"));
  }
  return n;
}

absl::Status SetBranches(const NodeTable& table, const Numbering& n, ir::Attrs& attrs) {
  const auto count = static_cast<int64_t>(n.branch_rows.size());
  Ints features, on_true, on_false, true_is_leaf, false_is_leaf, missing;
  OMKIT_ASSIGN_OR_RETURN(Tensor modes, Tensor::Allocate(DType::kUInt8, Shape{count}));
  OMKIT_ASSIGN_OR_RETURN(Tensor splits, Tensor::Allocate(table.splits.dtype(), Shape{count}));
  const size_t element = SizeOf(splits.dtype());
  for (int64_t i = 0; i < count; ++i) {
    const bool lone = n.branch_rows[i] < 0;
    const int64_t row = lone ? -1 - n.branch_rows[i] : n.branch_rows[i];
    if (!lone) {
      const auto mode = std::find(std::begin(kModes), std::end(kModes), table.modes[row]);
      if (mode == std::end(kModes)) return absl::InvalidArgumentError(absl::StrCat("attribute nodes_modes holds ", Quoted(table.modes[row])));
      modes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(mode - std::begin(kModes));
      std::copy_n(table.splits.data<uint8_t>() + row * element, element, splits.mutable_data<uint8_t>() + i * element);
    }
    features.push_back(lone ? 0 : table.features[row]);
    missing.push_back(table.missing[row]);
    const int64_t yes = lone ? row : table.row_of.at({table.trees[row], table.on_true[row]});
    const int64_t no = lone ? row : table.row_of.at({table.trees[row], table.on_false[row]});
    on_true.push_back(n.place[yes]);
    on_false.push_back(n.place[no]);
    true_is_leaf.push_back(table.IsLeaf(yes) ? 1 : 0);
    false_is_leaf.push_back(table.IsLeaf(no) ? 1 : 0);
  }
  attrs.Set("nodes_featureids", std::move(features));
  attrs.Set("nodes_truenodeids", std::move(on_true));
  attrs.Set("nodes_falsenodeids", std::move(on_false));
  attrs.Set("nodes_trueleafs", std::move(true_is_leaf));
  attrs.Set("nodes_falseleafs", std::move(false_is_leaf));
  attrs.Set("nodes_missing_value_tracks_true", std::move(missing));
  attrs.Set("nodes_modes", std::move(modes));
  attrs.Set("nodes_splits", std::move(splits));
  attrs.Set("tree_roots", n.roots);
  return absl::OkStatus();
}

absl::Status SetLeaves(const Numbering& n, const std::map<int64_t, std::vector<Vote>>& votes, DType dtype, ir::Attrs& attrs) {
  Ints targets, ends;
  std::vector<double> weights;
  for (const int64_t row : n.leaf_rows) {
    const auto found = votes.find(row);
    if (found != votes.end()) {
      for (const Vote& vote : found->second) {
        targets.push_back(vote.target);
        weights.push_back(vote.weight);
      }
    }
    ends.push_back(static_cast<int64_t>(targets.size()));
  }
  OMKIT_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Allocate(dtype, Shape{static_cast<int64_t>(weights.size())}));
  for (size_t i = 0; i < weights.size(); ++i) {
    if (dtype == DType::kFloat64) tensor.mutable_data<double>()[i] = weights[i];
    else tensor.mutable_data<float>()[i] = static_cast<float>(weights[i]);
  }
  attrs.Set("leaf_targetids", std::move(targets));
  attrs.Set("leaf_weights", std::move(tensor));
  attrs.Set("leaf_ends", std::move(ends));
  return absl::OkStatus();
}

// The type the trees compare in; other numbers are cast to float32 before.
DType CompareType(const OnnxNode& node) { return node.dtype(0) == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32; }

ValueId CastTo(OnnxNode& node, absl::string_view suffix, ValueId x, DType dtype) {
  ir::Attrs to;
  to.Set("to", static_cast<int64_t>(dtype));
  return node.EmitBefore(OpKind::kCast, suffix, {x}, to);
}

// Emits `op` as the producer of output `i`.
void EmitOutput(OnnxNode& node, int i, OpKind op, std::vector<ValueId> inputs, ir::Attrs attrs = {}) {
  TryInfer(*node.graph, node.graph->AddNodeInto(op, absl::StrCat(node.name, "/output", i), std::move(inputs), {node.outputs[i]}, std::move(attrs)));
}

// Output `i` from a float value of the compare type; the old operators' scores are float32 whatever the input.
void EmitScores(OnnxNode& node, int i, ValueId scores) {
  ir::Attrs to;
  to.Set("to", static_cast<int64_t>(DType::kFloat32));
  EmitOutput(node, i, OpKind::kCast, {scores}, to);
}

// The attributes of TreeEnsemble, without base values and transform.
absl::StatusOr<ir::Attrs> Forest(const OnnxNode& node, const NodeTable& table, const std::map<int64_t, std::vector<Vote>>& votes, int64_t targets) {
  ir::Attrs attrs;
  OMKIT_ASSIGN_OR_RETURN(const Numbering numbering, NumberNodes(table));
  OMKIT_RETURN_IF_ERROR(SetBranches(table, numbering, attrs));
  OMKIT_RETURN_IF_ERROR(SetLeaves(numbering, votes, table.splits.dtype(), attrs));
  attrs.Set("n_targets", targets);
  OMKIT_ASSIGN_OR_RETURN(const int64_t aggregate, NumberOf(node, "aggregate_function", "SUM", kAggregates));
  attrs.Set("aggregate_function", aggregate);
  return attrs;
}

absl::StatusOr<std::vector<float>> BaseValues(const OnnxNode& node) {
  OMKIT_ASSIGN_OR_RETURN(const Tensor base, Numbers(node, "base_values", DType::kFloat32));
  return std::vector<float>(base.values<float>().begin(), base.values<float>().end());
}

// Two classes, votes for one: the label tells whether the score s is above zero, or above a half when no vote is negative. The two scores are -s
// and s, through LOGISTIC if wanted; without it they are 1 - s and s when no vote is negative.
absl::Status EmitTwoClasses(OnnxNode& node, ValueId x, ir::Attrs attrs, bool probability, int64_t transform, const Ints& labels) {
  if (transform == 4) return absl::UnimplementedError("post_transform PROBIT for two classes with votes for one");
  const bool logistic = transform == 2;
  const DType dtype = CompareType(node);
  const ValueId score = node.EmitBefore(OpKind::kTreeEnsemble, "score", {x}, std::move(attrs));
  const auto number = [&](absl::string_view suffix, double value) {
    return node.Constant(suffix, dtype == DType::kFloat64 ? Tensor::Scalar<double>(value) : Tensor::Scalar<float>(static_cast<float>(value)));
  };
  const ValueId positive = node.EmitBefore(OpKind::kGreater, "positive", {score, number("threshold", probability ? 0.5 : 0)});
  const int64_t last[] = {-1};
  const ValueId flat = node.EmitBefore(OpKind::kReshape, "flat", {positive, node.Constant("flat_shape", last)});
  EmitOutput(node, 0, OpKind::kWhere,
             {flat, node.Constant("label1", Tensor::Scalar<int64_t>(labels[1])), node.Constant("label0", Tensor::Scalar<int64_t>(labels[0]))});
  if (node.outputs.size() < 2) return absl::OkStatus();
  const ValueId other = node.EmitBefore(OpKind::kSub, "other", {number("whole", probability && !logistic ? 1 : 0), score});
  ir::Attrs axis;
  axis.Set("axis", int64_t{1});
  ValueId both = node.EmitBefore(OpKind::kConcat, "both", {other, score}, axis);
  if (logistic) both = node.EmitBefore(OpKind::kSigmoid, "logistic", {both});
  EmitScores(node, 1, both);
  return absl::OkStatus();
}

absl::Status EmitClasses(OnnxNode& node, ValueId x, const ir::Attrs& attrs, int64_t transform, const Ints& labels) {
  const ValueId votes = node.EmitBefore(OpKind::kTreeEnsemble, "votes", {x}, attrs);
  ir::Attrs row;
  row.Set("axis", int64_t{1});
  row.Set("keepdims", int64_t{0});
  const ValueId best = node.EmitBefore(OpKind::kArgMax, "best", {votes}, row);
  ir::Attrs first;
  first.Set("axis", int64_t{0});
  EmitOutput(node, 0, OpKind::kGather, {node.Constant("labels", labels), best}, first);
  if (node.outputs.size() < 2) return absl::OkStatus();
  ValueId scores = votes;
  ir::Attrs last;
  last.Set("axis", int64_t{-1});
  if (transform == 1) {
    scores = node.EmitBefore(OpKind::kSoftmax, "softmax", {votes}, last);
  } else if (transform == 2) {
    scores = node.EmitBefore(OpKind::kSigmoid, "logistic", {votes});
  } else if (transform != 0) {
    ir::Attrs transformed = attrs;
    transformed.Set("post_transform", transform);
    scores = node.EmitBefore(OpKind::kTreeEnsemble, "scores", {x}, std::move(transformed));
  }
  EmitScores(node, 1, scores);
  return absl::OkStatus();
}

}  // namespace

absl::Status TreeEnsembleRegressor(OnnxNode& node) {
  const DType dtype = CompareType(node);
  OMKIT_ASSIGN_OR_RETURN(const NodeTable table, ReadNodes(node, dtype));
  OMKIT_ASSIGN_OR_RETURN(const auto votes, ReadVotes(node, "target", table));
  OMKIT_ASSIGN_OR_RETURN(ir::Attrs attrs, Forest(node, table, votes, node.attrs.Int("n_targets", 1)));
  OMKIT_ASSIGN_OR_RETURN(const int64_t transform, NumberOf(node, "post_transform", "NONE", kTransforms));
  attrs.Set("post_transform", transform);
  OMKIT_ASSIGN_OR_RETURN(std::vector<float> base, BaseValues(node));
  if (!base.empty()) attrs.Set("base_values", std::move(base));
  const ValueId x = node.dtype(0) == dtype ? node.inputs[0] : CastTo(node, "numbers", node.inputs[0], dtype);
  EmitScores(node, 0, node.EmitBefore(OpKind::kTreeEnsemble, "trees", {x}, std::move(attrs)));
  return absl::OkStatus();
}

absl::Status TreeEnsembleClassifier(OnnxNode& node) {
  if (node.attrs.Has("classlabels_strings")) {
    return absl::UnimplementedError("class labels are strings; train or convert the model with integer labels (attribute classlabels_int64s)");
  }
  const Ints labels = node.attrs.Ints("classlabels_int64s"), ids = node.attrs.Ints("class_ids");
  if (labels.size() < 2) return absl::UnimplementedError(absl::StrCat(labels.size(), " class labels"));
  const DType dtype = CompareType(node);
  OMKIT_ASSIGN_OR_RETURN(const NodeTable table, ReadNodes(node, dtype));
  OMKIT_ASSIGN_OR_RETURN(const auto votes, ReadVotes(node, "class", table));
  OMKIT_ASSIGN_OR_RETURN(const int64_t transform, NumberOf(node, "post_transform", "NONE", kTransforms));
  OMKIT_ASSIGN_OR_RETURN(std::vector<float> base, BaseValues(node));
  const std::set<int64_t> voted(ids.begin(), ids.end());
  const bool one_score = labels.size() == 2 && voted.size() == 1;
  if (one_score && *voted.begin() != 0) return absl::UnimplementedError("two classes with votes for the second alone; class_ids must be 0");
  if (one_score && base.size() > 1) return absl::UnimplementedError("two base_values where two classes share one score");
  OMKIT_ASSIGN_OR_RETURN(ir::Attrs attrs, Forest(node, table, votes, one_score ? 1 : static_cast<int64_t>(labels.size())));
  if (!base.empty()) attrs.Set("base_values", std::move(base));
  const ValueId x = node.dtype(0) == dtype ? node.inputs[0] : CastTo(node, "numbers", node.inputs[0], dtype);
  if (!one_score) return EmitClasses(node, x, attrs, transform, labels);
  bool probability = true;
  for (const auto& [row, list] : votes) {
    probability = probability && std::all_of(list.begin(), list.end(), [](const Vote& vote) { return vote.weight >= 0; });
  }
  return EmitTwoClasses(node, x, std::move(attrs), probability, transform, labels);
}

}  // namespace omkit::frontends::adapters

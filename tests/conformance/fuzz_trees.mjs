// Random decision trees of ai.onnx.ml for fuzz_models.mjs: one node on [rows, features], whose result as float32 is the model's.
import {FLOAT, INT64, UINT8, arrayOf} from './onnx_writer.mjs';

const DOUBLE = 11, MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];
const big = list => list.map(v => BigInt(v));
const step = (r, low, high) => r.int(low * 2, high * 2) / 2;  // on a grid, so that features equal splits

// {leaf: number} or {mode, feature, split, missing, yes, no}; leaves are numbered through all trees.
function grow(r, features, depth, counter) {
  if (depth === 0 || r.int(0, 4) === 0) return {leaf: counter.leaves++};
  return {mode: r.int(0, 5), feature: r.int(0, features - 1), split: step(r, -2, 2), missing: r.int(0, 1),
    yes: grow(r, features, depth - 1, counter), no: grow(r, features, depth - 1, counter)};
}

const floats = (type, values) => ({dims: [values.length], type, data: type === DOUBLE ? Float64Array.from(values) : arrayOf(type, values)});

// The attributes of the operators before ai.onnx.ml 5.
function named(roots, votes, prefix) {
  const a = {nodes_treeids: [], nodes_nodeids: [], nodes_featureids: [], nodes_modes: [], nodes_values: [], nodes_truenodeids: [],
    nodes_falsenodeids: [], nodes_missing_value_tracks_true: [], [`${prefix}_treeids`]: [], [`${prefix}_nodeids`]: [], [`${prefix}_ids`]: [],
    [`${prefix}_weights`]: []};
  roots.forEach((root, tree) => {
    const order = [root];
    for (let i = 0; i < order.length; ++i) {
      if (order[i].leaf === undefined) order.push(order[i].yes, order[i].no);
    }
    order.forEach((node, id) => {
      const leaf = node.leaf !== undefined;
      a.nodes_treeids.push(tree); a.nodes_nodeids.push(id); a.nodes_featureids.push(leaf ? 0 : node.feature);
      a.nodes_modes.push(leaf ? 'LEAF' : MODES[node.mode]); a.nodes_values.push(leaf ? 0 : node.split);
      a.nodes_truenodeids.push(leaf ? 0 : order.indexOf(node.yes)); a.nodes_falsenodeids.push(leaf ? 0 : order.indexOf(node.no));
      a.nodes_missing_value_tracks_true.push(leaf ? 0 : node.missing);
      for (const [target, weight] of leaf ? votes(node.leaf, tree) : []) {
        a[`${prefix}_treeids`].push(tree); a[`${prefix}_nodeids`].push(id); a[`${prefix}_ids`].push(target); a[`${prefix}_weights`].push(weight);
      }
    });
  });
  const reals = ['nodes_values', `${prefix}_weights`];
  return Object.fromEntries(Object.entries(a).map(([name, list]) => [name, reals.includes(name) || name === 'nodes_modes' ? list : big(list)]));
}

// Those of TreeEnsemble, some nodes testing for membership.
function numbered(r, type, roots, leafTargets, leafWeights) {
  const nodes = [], place = new Map(), members = [];
  const visit = node => {
    if (node.leaf !== undefined) return;
    place.set(node, nodes.length);
    nodes.push(node);
    visit(node.yes);
    visit(node.no);
  };
  const tops = roots.map(root => root.leaf === undefined ? root : {mode: 0, feature: 0, split: 0, missing: 0, yes: root, no: root});
  tops.forEach(visit);
  const modes = nodes.map(node => {
    if (r.int(0, 3) !== 0) return node.mode;
    // ONNX Runtime takes integers.
    members.push(...Array.from({length: r.int(1, 3)}, () => r.int(1, 2)), NaN);
    return 6;
  });
  const at = child => child.leaf !== undefined ? child.leaf : place.get(child), isLeaf = child => child.leaf !== undefined ? 1 : 0;
  return {nodes_featureids: big(nodes.map(n => n.feature)), nodes_splits: floats(type, nodes.map(n => n.split)),
    nodes_modes: {dims: [nodes.length], type: UINT8, data: arrayOf(UINT8, modes)},
    nodes_truenodeids: big(nodes.map(n => at(n.yes))), nodes_falsenodeids: big(nodes.map(n => at(n.no))),
    nodes_trueleafs: big(nodes.map(n => isLeaf(n.yes))), nodes_falseleafs: big(nodes.map(n => isLeaf(n.no))),
    nodes_missing_value_tracks_true: big(nodes.map(n => n.missing)), tree_roots: big(tops.map(t => place.get(t))),
    leaf_targetids: big(leafTargets), leaf_weights: floats(type, leafWeights), ...(members.length > 0 ? {membership_values: floats(type, members)} : {})};
}

export function trees(b) {
  const r = b.r, rows = r.int(1, 6), features = r.int(1, 5), counter = {leaves: 0};
  const x = b.input(FLOAT, [rows, features], -2, 2);
  x.data.forEach((v, i) => { x.data[i] = r.int(0, 12) === 0 ? NaN : Math.round(v * 2) / 2; });
  const domain = 'ai.onnx.ml', roots = [], treeOfLeaf = [];
  for (let tree = r.int(3, 8); tree > 0; --tree) {
    roots.push(grow(r, features, r.int(0, 4), counter));
    while (treeOfLeaf.length < counter.leaves) treeOfLeaf.push(roots.length - 1);
  }
  // Every target gets a vote: ONNX Runtime moves the others up where one gets none, and leaves it out of the choice of a class.
  const leafTargets = targets => treeOfLeaf.map(tree => tree % targets);
  const weight = () => r.real(-1, 1);
  const add = (op, inputs, outputs, attrs) => { const v = b.add(op, inputs, outputs, attrs); b.nodes.at(-1).domain = domain; return v; };
  const wide = r.int(0, 3) === 0, type = wide ? DOUBLE : FLOAT;
  const from = wide ? b.one('Cast', [x], x.dims, {to: BigInt(DOUBLE)}, DOUBLE) : x;
  const kind = r.int(0, 3);
  if (kind === 0) {
    // ONNX Runtime 1.30 takes post_transform 1 for LOGISTIC and 2 for SOFTMAX; the standard has them the other way round.
    const targets = r.int(1, 3);
    b.mlOpset = 5;
    const y = add('TreeEnsemble', [from], [{type, dims: [rows, targets]}], {...numbered(r, type, roots, leafTargets(targets), Array.from({length: counter.leaves}, weight)),
      n_targets: BigInt(targets), aggregate_function: BigInt(r.int(0, 3)), post_transform: targets > 1 && r.coin() ? 3n : 0n});
    return wide ? b.one('Cast', [y], y.dims, {to: 1n}) : y;
  }
  b.mlOpset = 3;
  const every = n => Array.from({length: n}, (_, i) => i);
  if (kind === 1) {
    const targets = r.int(1, 3), all = r.coin();
    const votes = (leaf, tree) => all ? every(targets).map(t => [t, weight()]) : [[tree % targets, weight()]];
    return add('TreeEnsembleRegressor', [x], [{type: FLOAT, dims: [rows, targets]}], {...named(roots, votes, 'target'), n_targets: BigInt(targets),
      aggregate_function: r.pick(['SUM', 'AVERAGE', 'MIN', 'MAX']), post_transform: targets > 1 ? r.pick(['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO']) : 'NONE',
      ...(r.coin() ? {base_values: every(targets).map(weight)} : {})});
  }
  const classes = kind === 2 ? 2 : r.int(3, 4), positive = r.coin();
  const votes = kind === 2 ? () => [[0, positive ? r.real(0, 1) / roots.length : weight()]] : () => every(classes).map(c => [c, weight()]);
  const label = {type: INT64, dims: [rows]}, scores = {type: FLOAT, dims: [rows, classes]};
  add('TreeEnsembleClassifier', [x], [label, scores], {...named(roots, votes, 'class'), classlabels_int64s: big(every(classes).map(c => 7 - 2 * c)),
    post_transform: r.pick(['NONE', 'SOFTMAX', 'LOGISTIC', ...(kind === 2 ? [] : ['SOFTMAX_ZERO'])]),
    ...(kind === 3 && r.coin() ? {base_values: every(classes).map(weight)} : {})});
  const names = b.nodes.at(-1).outputs;
  return r.coin() ? {name: names[1], ...scores} : b.one('Cast', [{name: names[0], ...label}], [rows], {to: 1n});
}

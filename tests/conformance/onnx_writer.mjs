// Just enough of protobuf's wire format to write ONNX models and tensors; field numbers are those of onnx.proto.
export const FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, INT64 = 7, BOOL = 9;

const varint = value => {
  const bytes = [];
  let v = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(v & 0x7fn);
    v >>= 7n;
    bytes.push(v > 0n ? low | 0x80 : low);
  } while (v > 0n);
  return Buffer.from(bytes);
};
const int = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, data) => Buffer.concat([varint(field << 3 | 2), varint(data.length), data]);
const text = (field, value) => bytes(field, Buffer.from(value, 'utf8'));
const float = (field, value) => {
  const b = Buffer.alloc(4);
  b.writeFloatLE(value);
  return Buffer.concat([varint(field << 3 | 5), b]);
};

const ARRAYS = {[FLOAT]: Float32Array, [UINT8]: Uint8Array, [INT8]: Int8Array, [INT32]: Int32Array, [INT64]: BigInt64Array, [BOOL]: Uint8Array};
export const arrayOf = (type, values) => ARRAYS[type].from(type === INT64 ? values.map(v => BigInt(v)) : values);

// {name, type, dims, data}; data is the typed array of the element type.
export const tensor = t => Buffer.concat([
  ...t.dims.map(d => int(1, d)), int(2, t.type), text(8, t.name ?? ''),
  bytes(9, Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength)),
]);

const attribute = (name, value) => {
  const head = text(1, name);
  if (typeof value === 'string') return Buffer.concat([head, text(4, value), int(20, 3)]);
  if (typeof value === 'bigint') return Buffer.concat([head, int(3, value), int(20, 2)]);
  if (typeof value === 'number') return Buffer.concat([head, float(2, value), int(20, 1)]);
  if (value.data) return Buffer.concat([head, bytes(5, tensor(value)), int(20, 4)]);
  if (value.length && typeof value[0] === 'string') return Buffer.concat([head, ...value.map(v => text(9, v)), int(20, 8)]);
  if (value.length && typeof value[0] === 'number') return Buffer.concat([head, ...value.map(v => float(7, v)), int(20, 6)]);
  return Buffer.concat([head, ...value.map(v => int(8, v)), int(20, 7)]);
};

// Attribute values: bigint INT, number FLOAT, string, array of bigint INTS, of number FLOATS, of string STRINGS, and a tensor.
export const node = n => Buffer.concat([
  ...n.inputs.map(i => text(1, i)), ...n.outputs.map(o => text(2, o)), text(3, n.name), text(4, n.op), ...(n.domain ? [text(7, n.domain)] : []),
  ...Object.entries(n.attrs ?? {}).map(([name, value]) => bytes(5, attribute(name, value))),
]);

const valueInfo = v => Buffer.concat([
  text(1, v.name),
  bytes(2, bytes(1, Buffer.concat([int(1, v.type), bytes(2, Buffer.concat(v.dims.map(d => bytes(1, int(1, d)))))]))),
]);

// Outputs may have no dims: then only the type is written. mlOpset is that of domain ai.onnx.ml, if any.
export const model = ({opset, mlOpset, nodes, inputs, outputs, constants}) => Buffer.concat([
  int(1, 8),
  bytes(8, int(2, opset)),
  ...(mlOpset ? [bytes(8, Buffer.concat([text(1, 'ai.onnx.ml'), int(2, mlOpset)]))] : []),
  bytes(7, Buffer.concat([
    ...nodes.map(n => bytes(1, node(n))), text(2, 'fuzz'), ...constants.map(c => bytes(5, tensor(c))), ...inputs.map(i => bytes(11, valueInfo(i))),
    ...outputs.map(o => bytes(12, Buffer.concat([text(1, o.name), bytes(2, bytes(1, int(1, o.type)))]))),
  ])),
]);

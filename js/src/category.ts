// A rough kind of operator, for the colour of a box's edge. A wrong guess is only a colour.

import type { Role } from "./scene";

export type Category = "io" | "stored" | "control" | "matmul" | "reduce" | "shape" | "point";

const MATMUL =
  /(^|_)(linear|matmul|mm|bmm|addmm|baddbmm|conv\d?d?|convolution|einsum|dot|attention|sdpa|embedding)(_|$)/;
const REDUCE =
  /(norm|softmax|sum|mean|amax|amin|max|min|argmax|argmin|var|std|prod|topk|sort|any|all|cumsum|pool\d?d?|loss)(_|$)/;
const SHAPE =
  /^(view|reshape|transpose|permute|t|slice|select|expand|unsqueeze|squeeze|cat|stack|split|chunk|unbind|getitem|clone|contiguous|flatten|unflatten|alias|detach|index|narrow|repeat|pad|constant_pad|sym_size|to|_to_copy|movedim|as_strided|gather|scatter)/;

/** Say what kind of operator a label names. */
export function categoryOf(role: Role, label: string): Category {
  if (role === "input" || role === "output") return "io";
  if (role === "call") return "control";
  if (role !== "op") return "stored";
  const name = label.slice(label.lastIndexOf(".") + 1).replace(/^_+/, "");
  if (MATMUL.test(name)) return "matmul";
  if (SHAPE.test(name)) return "shape";
  return REDUCE.test(name) ? "reduce" : "point";
}

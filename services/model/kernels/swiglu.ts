/** out = silu(gate) * up, each product rounded, value by value. @param sigmoid of gate */
export function swigluForward(gate: Float32Array, up: Float32Array, sigmoid: Float32Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = Math.fround(gate[i]! * sigmoid[i]!) * up[i]!;
}

/** What the backward pass reads, value by value. */
interface SwigluGradient {
  readonly gate: Float32Array;
  readonly up: Float32Array;
  readonly sigmoid: Float32Array;
  readonly dy: Float32Array;
}

export function swigluBackward(
  { gate, up, sigmoid, dy }: SwigluGradient,
  dGate: Float32Array,
  dUp: Float32Array,
): void {
  for (let i = 0; i < dy.length; i++) {
    const silu = gate[i]! * sigmoid[i]!;
    dGate[i] = dy[i]! * up[i]! * (sigmoid[i]! + silu * (1 - sigmoid[i]!));
    dUp[i] = dy[i]! * silu;
  }
}

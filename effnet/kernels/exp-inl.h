// Computes 1 + exp(-x) by arithmetic only, for instruction sets that cannot permute floats by index. exp(-x) = 2^(n +
// f), where n is an integer and |f| <= 1/2: 2^f is a polynomial of degree 5 with a relative error of 1e-7, and n is
// added to the exponent. Adding the constant 1.5 * 2^23 (`magic`) rounds a float to an integer. The file in simd/ that
// includes this header must define fma, sub, add, at_least, at_most and add_to_exponent.
#pragma once

namespace effnet::kernels::EFFNET_TARGET {
namespace {

constexpr float kExp[] = {0.69314700F, 0.24022242F, 0.055507336F, 0.0096715130F, 0.0013264727F};

template <class V>
inline V one_plus_exp_of_minus_by_polynomial(V x) {
  const V magic = broadcast<V>(12582912.0F);
  const V scale = broadcast<V>(-1.44269504F);
  const V clamped = at_most(at_least(x, broadcast<V>(-87.0F)), broadcast<V>(87.0F));
  const V rounded = fma(clamped, scale, magic);
  const V f = fma(clamped, scale, sub(magic, rounded));
  V power = fma(f, broadcast<V>(kExp[4]), broadcast<V>(kExp[3]));
  power = fma(f, power, broadcast<V>(kExp[2]));
  power = fma(f, power, broadcast<V>(kExp[1]));
  power = fma(f, power, broadcast<V>(kExp[0]));
  power = fma(f, power, broadcast<V>(1.0F));
  return add(add_to_exponent(power, rounded), broadcast<V>(1.0F));
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET

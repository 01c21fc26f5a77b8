#pragma once

#include <span>

namespace sentio {

/// A sum as if taken in twice the precision and rounded once. Ogita, Rump & Oishi, Accurate Sum and Dot Product, 2005,
/// Sum2: what each addition rounds away is summed beside it.
class Sum {
 public:
  void add(double x) {
    const double sum = sum_ + x, from_x = sum - sum_;
    lost_ += (sum_ - (sum - from_x)) + (x - from_x);
    sum_ = sum;
  }
  [[nodiscard]] double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0.0, lost_ = 0.0;
};

/// The sum of term(x) over `values`.
template <class Term>
[[nodiscard]] double sum_of(std::span<const double> values, Term term) {
  Sum sum;
  for (const double x : values) sum.add(term(x));
  return sum.value();
}

[[nodiscard]] inline double sum_of(std::span<const double> values) {
  return sum_of(values, [](double x) { return x; });
}

}  // namespace sentio

#include "features/sine.hpp"

namespace sentio {
namespace {

/// A number as the exact sum of two doubles, the second below the last digit of the first.
struct Wide {
  double high, low;
};

/// a + b, where |a| >= |b| or a is 0; Dekker 1971.
Wide fast_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

/// a + b; Knuth 1969.
Wide sum(double a, double b) {
  const double s = a + b, from_b = s - a;
  return {s, (a - (s - from_b)) + (b - from_b)};
}

/// a b; Veltkamp 1968, Dekker 1971.
Wide product(double a, double b) {
  constexpr double kSplitter = 0x1p27 + 1.0;
  const auto upper = [](double x) { return kSplitter * x - (kSplitter * x - x); };
  const double p = a * b, a1 = upper(a), a2 = a - a1, b1 = upper(b), b2 = b - b1;
  return {p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2};
}

Wide operator+(Wide a, Wide b) {
  const Wide s = sum(a.high, b.high);
  return fast_sum(s.high, s.low + (a.low + b.low));
}

Wide operator*(Wide a, Wide b) {
  const Wide p = product(a.high, b.high);
  return fast_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

Wide operator/(Wide a, double b) {
  const double q = a.high / b;
  const Wide back = product(q, b);
  return fast_sum(q, ((a.high - back.high) - back.low + a.low) / b);
}

/// Taylor's series of sine (from x, 1) or cosine (from 1, 0), |x| <= pi/4.
Wide series(Wide term, int power, Wide x) {
  const Wide square = x * x;
  Wide total = term;
  constexpr int kLastPower = 29;  // (pi/4)^29 / 29! < 2^-112
  for (power += 2; power <= kLastPower; power += 2) {
    term = term * square / -static_cast<double>(power * (power - 1));
    total = total + term;
  }
  return total;
}

}  // namespace

double sine_of_turn(int k, int n) {
  constexpr Wide kEighthOfTurn = {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55};  // pi / 4
  // The angle in eighths of a turn is eighths / n; whole numbers bring it into the first eighth without rounding.
  int eighths = 8 * k;
  const bool negative = eighths > 4 * n;
  if (negative) eighths = 8 * n - eighths;
  if (eighths > 2 * n) eighths = 4 * n - eighths;
  const bool steep = eighths <= n;
  if (!steep) eighths = 2 * n - eighths;
  const Wide x = kEighthOfTurn * Wide{static_cast<double>(eighths), 0.0} / static_cast<double>(n);
  const Wide value = steep ? series(x, 1, x) : series({1.0, 0.0}, 0, x);
  return negative ? -value.high : value.high;
}

}  // namespace sentio

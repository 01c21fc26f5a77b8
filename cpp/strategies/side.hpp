#pragma once

#include <cstdint>

#include "backtest/decision.hpp"
#include "bars/state.hpp"

namespace sentio {

/// The side that a rule is on between its entry and its exit: 1 long, -1 short, 0 flat.
class Side {
 public:
  [[nodiscard]] int now() const { return side_; }
  [[nodiscard]] bool flat() const { return side_ == 0; }

  [[nodiscard]] Decision enter(int side, std::string_view reason) {
    side_ = side;
    return {.exposure = static_cast<double>(side), .reason = reason};
  }
  [[nodiscard]] Decision leave(std::string_view reason) { return enter(0, reason); }
  [[nodiscard]] Decision stay() const {
    return {.exposure = static_cast<double>(side_), .reason = side_ == 0 ? "no entry" : "hold"};
  }

  void save(StateWriter& to) const { to.number(static_cast<std::int64_t>(side_)); }
  void load(StateReader& from) { side_ = static_cast<int>(from.whole(-1, 1, "side")); }

 private:
  int side_ = 0;
};

}  // namespace sentio

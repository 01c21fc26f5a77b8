#pragma once

#include <array>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "features/kernel.hpp"

namespace sentio {

struct SessionCalendar;

/// A column of values, one a bar: a field of the bars, or what a node computes.
using Column = int;

inline constexpr Column kOpen = 0, kHigh = 1, kLow = 2, kClose = 3, kVolume = 4;
inline constexpr int kBarColumns = 5;

struct Node {
  std::unique_ptr<Kernel> kernel;
  std::array<Column, kMaxInputs> inputs;
  Column output;
  int start;  ///< the first bar at which every input is defined with its lookback
};

/// What is known of a column before any bar is seen.
struct ColumnFacts {
  int first = 0;    ///< the first bar at which the column is defined
  int history = 0;  ///< older values that its readers need
  int settle = 0;   ///< bars after which the start of the data no longer shows; kNever if it always does
  bool recursive = false;
};

/// What a bar's time tells of its session.
enum class SessionValue {
  minute,  ///< since the opening time of its date; negative before it
  length,  ///< of the date's session in minutes; 0 where there is none
  day,     ///< days since 1970 of its local date
};

/// A column that comes of the bars' times and not of a node.
struct SessionColumn {
  const SessionCalendar* calendar;
  SessionValue value;
  Column column;
};

/// Kernels and who reads whom, in the order of evaluation. Equal kernels on equal inputs are one node.
class Graph {
 public:
  Graph() : columns_(kBarColumns) {}
  Graph(const Graph& other);
  Graph(Graph&&) = default;
  Graph& operator=(Graph other) noexcept {
    std::swap(nodes_, other.nodes_);
    std::swap(columns_, other.columns_);
    std::swap(session_columns_, other.session_columns_);
    std::swap(readers_, other.readers_);
    return *this;
  }
  ~Graph() = default;

  /// The column that `formula` yields of `inputs`.
  template <class T>
  Column add(const T& formula, std::initializer_list<Column> inputs) {
    return add_node(std::make_unique<KernelOf<T>>(formula), inputs);
  }

  /// The column that `add` yielded of them, if it was asked for.
  template <class T>
  [[nodiscard]] std::optional<Column> find(const T& formula, std::initializer_list<Column> inputs) const {
    return find_node(KernelOf<T>(formula), wired(inputs));
  }

  /// The column that holds `value` of each bar's session; the calendar must be one of session_calendars().
  Column add_session(const SessionCalendar& calendar, SessionValue value);

  [[nodiscard]] const std::vector<SessionColumn>& session_columns() const { return session_columns_; }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::vector<Node>& nodes() { return nodes_; }
  [[nodiscard]] const ColumnFacts& facts(Column column) const { return columns_[static_cast<std::size_t>(column)]; }
  [[nodiscard]] int columns() const { return static_cast<int>(columns_.size()); }

 private:
  using Inputs = std::array<Column, kMaxInputs>;

  [[nodiscard]] static Inputs wired(std::initializer_list<Column> inputs);
  [[nodiscard]] std::optional<Column> find_node(const Kernel& kernel, const Inputs& inputs) const;
  Column add_node(std::unique_ptr<Kernel> kernel, std::initializer_list<Column> inputs);

  std::vector<Node> nodes_;
  std::vector<ColumnFacts> columns_;
  std::vector<SessionColumn> session_columns_;
  std::map<Inputs, std::vector<std::size_t>> readers_;  ///< of the same inputs: where a twin may be
};

}  // namespace sentio

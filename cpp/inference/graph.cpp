#include "inference/graph.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "bars/error.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/suggest.hpp"

namespace sentio {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "weights.bin is read as it lies");

constexpr std::size_t kLongestName = 200;
constexpr double kLeastNumber = 1e-12, kMostNumber = 1e12;  ///< of clip and epsilon

struct OpForm {
  std::string name;
  GraphOp op;
  std::vector<std::string> keys;  ///< besides op and output
};

const std::vector<OpForm>& op_forms() {
  static const std::vector<OpForm> forms = {
      {"normalise", GraphOp::normalise, {"input", "mean", "std", "clip"}},
      {"linear", GraphOp::linear, {"input", "weight", "bias", "rows"}},
      {"gelu", GraphOp::gelu, {"input"}},
      {"relu", GraphOp::relu, {"input"}},
      {"silu", GraphOp::silu, {"input"}},
      {"tanh", GraphOp::tanh, {"input"}},
      {"add_position", GraphOp::add_position, {"input", "position"}},
      {"layer_norm", GraphOp::layer_norm, {"input", "weight", "bias", "epsilon"}},
      {"last_row", GraphOp::last_row, {"input"}},
      {"attention", GraphOp::attention, {"query", "key", "value", "heads", "causal"}},
      {"add", GraphOp::add, {"inputs"}},
      {"affine", GraphOp::affine, {"input", "scale", "shift"}},
  };
  return forms;
}

struct Tensor {
  std::vector<std::size_t> shape;
  std::size_t begin = 0;  ///< in weights.bin, floats
};

/// Whose file a fault is in, and where.
class Place {
 public:
  explicit Place(fs::path file) : file_(std::move(file)) {}
  [[nodiscard]] std::string text() const { return file_.string(); }
  [[noreturn]] void fail(const std::string& path, const std::string& what) const {
    throw InputError(text() + ": " + (path.empty() ? "" : path + ": ") + what);
  }

 private:
  fs::path file_;
};

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (const std::size_t side : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(side);
  return text + "]";
}

/// Nothing where there are too many names to show.
std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  constexpr std::size_t kMost = 40;
  return known.size() <= kMost ? did_you_mean(word, known) : "";
}

std::string shape_text(const GraphValue& value) { return shape_text(std::vector{value.rows, value.width}); }

/// Reads one graph; every message begins with the file at fault.
class GraphReader {
 public:
  explicit GraphReader(const GraphFiles& files)
      : files_(files), document_file_(files.folder / "model.json"), weights_file_(files.folder / "weights.bin") {}

  Network read() {
    const json document = parse_json(files_.document, document_file_.text());
    require_keys(document, "", {"format", "format_version", "input", "tensors", "nodes", "output"});
    if (const json& format = member(document, "", "format"); format != "sentio-graph")
      fail("format", "must be \"sentio-graph\", found " + shown(format));
    if (const json& version = member(document, "", "format_version"); version != "1.0")
      fail("format_version", "must be \"1.0\", found " + shown(version));
    read_input(member(document, "", "input"));
    read_tensors(member(document, "", "tensors"));
    read_weights();
    read_nodes(member(document, "", "nodes"));
    graph_.output = source(document, "", "output");
    if (const GraphValue& output = graph_.values[graph_.output]; output.rows != 1 || output.width != 1)
      fail("output", "must have the shape [1, 1] in each window, '" + output.name + "' has " + shape_text(output));
    return std::move(graph_);
  }

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& what) const { document_file_.fail(path, what); }

  static std::string joined(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  void require_keys(const json& object, const std::string& path, const std::vector<std::string>& known) const {
    if (!object.is_object()) fail(path, "must be an object, found " + shown(object));
    for (const auto& [key, found] : object.items())
      if (std::ranges::find(known, key) == known.end())
        fail(path, key.size() > kLongestName ? "unknown key " + shown(json(key))
                                             : "unknown key '" + key + "'" + did_you_mean(key, known));
  }

  const json& member(const json& object, const std::string& path, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end()) fail(path, std::string("key '") + key + "' is missing");
    return *found;
  }

  const json& list(const json& found, const std::string& path, std::size_t most) const {
    if (!found.is_array()) fail(path, "must be a list, found " + shown(found));
    if (found.empty() || found.size() > most)
      fail(path, "must hold 1 to " + std::to_string(most) + " items, found " + std::to_string(found.size()));
    return found;
  }

  std::size_t whole_number(const json& found, const std::string& path, std::size_t least, std::size_t most) const {
    const double number = found.is_number_integer() ? found.get<double>() : -1.0;
    if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)))
      fail(path, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ", found " +
                     shown(found));
    return found.get<std::size_t>();
  }

  float number(const json& object, const std::string& path, const char* key) const {
    const json& found = member(object, path, key);
    const double number = found.is_number() ? found.get<double>() : 0.0;
    if (!(number >= kLeastNumber && number <= kMostNumber))
      fail(joined(path, key), "must be a number from " + format_number(kLeastNumber) + " to " +
                                  format_number(kMostNumber) + ", found " + shown(found));
    return static_cast<float>(number);
  }

  std::string name(const json& object, const std::string& path, const char* key) const {
    const json& found = member(object, path, key);
    return name(found, joined(path, key));
  }

  std::string name(const json& found, const std::string& path) const {
    if (!found.is_string() || found.get_ref<const std::string&>().empty() ||
        found.get_ref<const std::string&>().size() > kLongestName)
      fail(path, "must be a name of 1 to " + std::to_string(kLongestName) + " characters, found " + shown(found));
    return found.get<std::string>();
  }

  void read_input(const json& input) {
    require_keys(input, "input", {"layout", "sequence_length", "width"});
    const json& layout = member(input, "input", "layout");
    if (layout != "BF" && layout != "BTF") fail("input.layout", "must be \"BF\" or \"BTF\", found " + shown(layout));
    const std::size_t longest = layout == "BF" ? 1 : GraphLimits::kSide;
    const std::size_t rows =
        whole_number(member(input, "input", "sequence_length"), "input.sequence_length", 1, longest);
    const std::size_t width = whole_number(member(input, "input", "width"), "input.width", 1, GraphLimits::kSide);
    graph_.input = {
        .sequence = layout == "BTF", .sequence_length = static_cast<int>(rows), .width = static_cast<int>(width)};
    graph_.values.push_back({.name = "x", .rows = rows, .width = width});
    value_of_["x"] = 0;
  }

  void read_tensors(const json& tensors) {
    std::size_t begin = 0;
    list(tensors, "tensors", GraphLimits::kTensors);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::string path = "tensors[" + std::to_string(i) + "]";
      require_keys(tensors[i], path, {"name", "shape"});
      const std::string tensor_name = name(tensors[i], path, "name");
      Tensor tensor{.shape = read_shape(member(tensors[i], path, "shape"), path + ".shape"), .begin = begin};
      // Two sides of at most kSide each, and a sum that was within the limit so far: no product or sum wraps around.
      begin += floats(tensor);
      if (begin > GraphLimits::kWeights)
        fail(path + ".shape", "all tensors must hold at most " + std::to_string(GraphLimits::kWeights) + " numbers");
      if (!tensors_.emplace(tensor_name, std::move(tensor)).second)
        fail(path + ".name", "'" + tensor_name + "' is defined twice");
      tensor_names_.push_back(tensor_name);
    }
    weight_count_ = begin;
  }

  std::vector<std::size_t> read_shape(const json& found, const std::string& path) const {
    if (!found.is_array() || found.size() > 2) fail(path, "must be a list of at most 2 sides, found " + shown(found));
    std::vector<std::size_t> shape;
    for (std::size_t i = 0; i < found.size(); ++i)
      shape.push_back(whole_number(found[i], path + "[" + std::to_string(i) + "]", 1, GraphLimits::kSide));
    return shape;
  }

  static std::size_t floats(const Tensor& tensor) {
    std::size_t count = 1;
    for (const std::size_t side : tensor.shape) count *= side;
    return count;
  }

  void read_weights() {
    const std::string_view bytes = files_.weights;
    if (const std::size_t wanted = weight_count_ * sizeof(float); bytes.size() != wanted)
      weights_file_.fail("", "must have " + std::to_string(wanted) + " bytes, as model.json's tensors do, found " +
                                 std::to_string(bytes.size()));
    graph_.weights.resize(weight_count_);
    std::memcpy(graph_.weights.data(), bytes.data(), bytes.size());
    for (const std::string& tensor_name : tensor_names_) {
      const auto numbers = numbers_of(tensors_.at(tensor_name));
      const auto bad = std::ranges::find_if(numbers, [](float x) { return !std::isfinite(x); });
      if (bad != numbers.end())
        weights_file_.fail(tensor_name + "[" + std::to_string(bad - numbers.begin()) + "]",
                           "must be a finite number, found " + std::string(std::isnan(*bad) ? "nan" : "inf"));
    }
  }

  std::span<const float> numbers_of(const Tensor& tensor) const {
    return std::span(graph_.weights).subspan(tensor.begin, floats(tensor));
  }

  void read_nodes(const json& nodes) {
    list(nodes, "nodes", GraphLimits::kNodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) read_node(nodes[i], "nodes[" + std::to_string(i) + "]");
    if (const double wanted = operations(graph_); wanted > static_cast<double>(GraphLimits::kOperations))
      fail("nodes", "must need at most " + std::to_string(GraphLimits::kOperations) +
                        " operations for a window, found " + format_number(wanted));
  }

  void read_node(const json& object, const std::string& path) {
    const OpForm& form = read_op(object, path);
    std::vector<std::string> keys = form.keys;
    keys.insert(keys.end(), {"op", "output"});
    require_keys(object, path, keys);
    GraphNode node;
    node.op = form.op;
    GraphValue made = shape_of(node, object, path);
    made.name = name(object, path, "output");
    node.output = graph_.values.size();
    if (!value_of_.emplace(made.name, node.output).second)
      fail(path + ".output", "'" + made.name + "' is defined twice");
    graph_.values.push_back(std::move(made));
    graph_.nodes.push_back(std::move(node));
  }

  const OpForm& read_op(const json& object, const std::string& path) const {
    if (!object.is_object()) fail(path, "must be an object, found " + shown(object));
    const std::string word = name(object, path, "op");
    const auto found = std::ranges::find(op_forms(), word, &OpForm::name);
    if (found == op_forms().end()) {
      std::vector<std::string> known;
      for (const OpForm& form : op_forms()) known.push_back(form.name);
      fail(path + ".op", "unknown op '" + word + "'" + did_you_mean(word, known));
    }
    return *found;
  }

  /// Reads what the op needs into `node`; returns the shape of what it makes.
  GraphValue shape_of(GraphNode& node, const json& object, const std::string& path) {
    if (node.op == GraphOp::normalise) return read_normalise(node, object, path);
    if (node.op == GraphOp::attention) return read_attention(node, object, path);
    if (node.op == GraphOp::add) return read_add(node, object, path);
    node.inputs = {source(object, path, "input")};
    GraphValue made = graph_.values[node.inputs[0]];
    switch (node.op) {
      case GraphOp::linear: made.width = read_linear(node, object, path, made.width); break;
      case GraphOp::add_position: node.first = tensor(object, path, "position", {made.rows, made.width}); break;
      case GraphOp::layer_norm:
        node.first = tensor(object, path, "weight", {made.width});
        node.second = tensor(object, path, "bias", {made.width});
        node.number = number(object, path, "epsilon");
        break;
      case GraphOp::last_row: made.rows = 1; break;
      case GraphOp::affine:
        if (made.width != 1)
          fail(path + ".input", "must have rows of one number, '" + made.name + "' has the shape " + shape_text(made));
        node.first = tensor(object, path, "scale", {});
        node.second = tensor(object, path, "shift", {});
        break;
      default:  // an activation
        break;
    }
    return made;
  }

  GraphValue read_normalise(GraphNode& node, const json& object, const std::string& path) const {
    if (const std::size_t read = value(member(object, path, "input"), path + ".input"); read != 0)
      fail(path + ".input", "must be the input 'x', found " + shown(object["input"]));
    node.inputs = {0};
    const GraphValue& input = graph_.values[0];
    node.first = tensor(object, path, "mean", {input.width});
    node.second = tensor(object, path, "std", {input.width});
    for (std::size_t i = 0; i < node.second.size(); ++i)
      if (!(node.second[i] > 0.0F))
        weights_file_.fail(object["std"].get<std::string>() + "[" + std::to_string(i) + "]",
                           "must be above 0, as a standard deviation is, found " + format_number(node.second[i]));
    node.number = number(object, path, "clip");
    return input;
  }

  /// Returns the width of what it makes.
  std::size_t read_linear(GraphNode& node, const json& object, const std::string& path, std::size_t inputs) const {
    const Tensor& weight = tensor(object, path, "weight");
    if (weight.shape.size() != 2 || weight.shape[1] != inputs)
      fail(path + ".weight", "must have the shape [outputs, " + std::to_string(inputs) + "], '" +
                                 object["weight"].get<std::string>() + "' has " + shape_text(weight.shape));
    std::size_t begin = 0, end = weight.shape[0];
    const std::span<const float> bias = tensor(object, path, "bias", {end});
    if (object.contains("rows")) {
      const json& rows = object["rows"];
      if (!rows.is_array() || rows.size() != 2) fail(path + ".rows", "must be [begin, end], found " + shown(rows));
      end = whole_number(rows[1], path + ".rows[1]", 1, end);
      begin = whole_number(rows[0], path + ".rows[0]", 0, end - 1);
    }
    node.first = numbers_of(weight).subspan(begin * inputs, (end - begin) * inputs);
    node.second = bias.subspan(begin, end - begin);
    return end - begin;
  }

  GraphValue read_attention(GraphNode& node, const json& object, const std::string& path) const {
    node.inputs = {source(object, path, "query"), source(object, path, "key"), source(object, path, "value")};
    const GraphValue &query = graph_.values[node.inputs[0]], &keys = graph_.values[node.inputs[1]],
                     &values = graph_.values[node.inputs[2]];
    if (keys.width != query.width)
      fail(path + ".key", "must be as wide as the query, " + std::to_string(query.width) + ", '" + keys.name +
                              "' has the shape " + shape_text(keys));
    if (values.rows != keys.rows || values.width != keys.width)
      fail(path + ".value",
           "must have the shape of the key, " + shape_text(keys) + ", '" + values.name + "' has " + shape_text(values));
    node.heads = whole_number(member(object, path, "heads"), path + ".heads", 1, query.width);
    if (query.width % node.heads != 0)
      fail(path + ".heads",
           "must divide the width, " + std::to_string(query.width) + ", found " + std::to_string(node.heads));
    const json& causal = member(object, path, "causal");
    if (!causal.is_boolean()) fail(path + ".causal", "must be true or false, found " + shown(causal));
    node.causal = causal.get<bool>();
    if (node.causal && query.rows > keys.rows)
      fail(path + ".query", "must have no more rows than the key, " + std::to_string(keys.rows) + ", '" + query.name +
                                "' has " + std::to_string(query.rows));
    return query;
  }

  GraphValue read_add(GraphNode& node, const json& object, const std::string& path) const {
    const json& inputs = member(object, path, "inputs");
    if (!inputs.is_array() || inputs.size() != 2)
      fail(path + ".inputs", "must be a list of two values, found " + shown(inputs));
    for (std::size_t i = 0; i < 2; ++i)
      node.inputs.push_back(computed(inputs[i], path + ".inputs[" + std::to_string(i) + "]"));
    const GraphValue &a = graph_.values[node.inputs[0]], &b = graph_.values[node.inputs[1]];
    if (a.rows != b.rows || a.width != b.width)
      fail(path + ".inputs",
           "must have one shape, '" + a.name + "' has " + shape_text(a) + ", '" + b.name + "' has " + shape_text(b));
    return a;
  }

  std::size_t value(const json& found, const std::string& path) const {
    const std::string word = name(found, path);
    const auto known = value_of_.find(word);
    if (known == value_of_.end()) {
      std::vector<std::string> names;
      for (const GraphValue& defined : graph_.values) names.push_back(defined.name);
      fail(path, "'" + word + "' is not defined before it is read" + suggestion(word, names));
    }
    return known->second;
  }

  /// A value that a node made.
  std::size_t computed(const json& found, const std::string& path) const {
    const std::size_t index = value(found, path);
    if (index == 0) fail(path, "must be a value that a node made; normalise alone reads the input");
    return index;
  }

  std::size_t source(const json& object, const std::string& path, const char* key) const {
    return computed(member(object, path, key), joined(path, key));
  }

  const Tensor& tensor(const json& object, const std::string& path, const char* key) const {
    const std::string word = name(object, path, key);
    const auto found = tensors_.find(word);
    if (found == tensors_.end())
      fail(joined(path, key), "no tensor is called '" + word + "'" + suggestion(word, tensor_names_));
    return found->second;
  }

  std::span<const float> tensor(const json& object, const std::string& path, const char* key,
                                const std::vector<std::size_t>& shape) const {
    const Tensor& found = tensor(object, path, key);
    if (found.shape != shape)
      fail(joined(path, key), "must have the shape " + shape_text(shape) + ", '" + object[key].get<std::string>() +
                                  "' has " + shape_text(found.shape));
    return numbers_of(found);
  }

  const GraphFiles& files_;
  Place document_file_, weights_file_;
  Network graph_;
  std::map<std::string, std::size_t> value_of_;
  std::map<std::string, Tensor> tensors_;
  std::vector<std::string> tensor_names_;  ///< in their order
  std::size_t weight_count_ = 0;
};

}  // namespace

Network read_network(const GraphFiles& files) { return GraphReader(files).read(); }

double operations(const Network& network) {
  double sum = 0.0;
  for (const GraphNode& node : network.nodes) {
    const GraphValue &read = network.values[node.inputs[0]], &made = network.values[node.output];
    const double cells = static_cast<double>(made.rows) * static_cast<double>(made.width);
    double each = 1.0;
    if (node.op == GraphOp::linear) each = static_cast<double>(read.width);
    if (node.op == GraphOp::attention) each = 2.0 * static_cast<double>(network.values[node.inputs[1]].rows);
    sum += each * cells;
  }
  return sum;
}

}  // namespace sentio

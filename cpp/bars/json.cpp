#include "bars/json.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "bars/error.hpp"

namespace sentio {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kMostValues = 1'250'000;  ///< of 200 bytes in memory at most: keys that are all different

std::string place(std::string_view text, std::size_t byte, const std::string& where) {
  const std::string_view before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return where + ':' + std::to_string(line) + ':' + std::to_string(before.size() - begin + 1);
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  using json = nlohmann::json;
  std::vector<std::set<std::string>> keys;
  std::size_t values = 0;
  const auto refuse_twins_and_bombs = [&](int depth, json::parse_event_t event, json& parsed) {
    const bool ends = event == json::parse_event_t::object_end || event == json::parse_event_t::array_end;
    if (!ends && ++values > kMostValues)
      throw InputError(where + ": must hold at most " + std::to_string(kMostValues) + " keys and values");
    if (depth > kDeepest) throw InputError(where + ": is nested deeper than " + std::to_string(kDeepest) + " levels");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw InputError(where + ": key '" + parsed.get<std::string>() + "' is written twice in one object");
    return true;
  };
  try {
    return json::parse(text, refuse_twins_and_bombs);
  } catch (const json::parse_error& error) {
    throw InputError(place(text, error.byte, where) + ": is not valid JSON");
  } catch (const json::out_of_range&) {
    throw InputError(where + ": is not valid JSON: it holds a number beyond float64");
  } catch (const json::exception& error) {
    throw InputError(where + ": is not valid JSON: " + error.what());
  }
}

std::string shown(const nlohmann::json& value) {
  constexpr std::size_t kLongest = 100;
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace sentio

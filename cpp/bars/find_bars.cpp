#include "bars/find_bars.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "bars/error.hpp"

namespace sentio {
namespace {

namespace fs = std::filesystem;

bool fits(std::string_view file_name, std::string_view symbol) {
  if (!file_name.starts_with(symbol)) return false;
  const std::string_view rest = file_name.substr(symbol.size());
  if (!rest.ends_with(".csv") && !rest.ends_with(".csv.gz")) return false;
  return rest.front() == '.' ? rest == ".csv" || rest == ".csv.gz" : rest.front() == '_' || rest.front() == '-';
}

}  // namespace

fs::path find_bars(const fs::path& data_dir, const std::string& symbol) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(data_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (fits(name, symbol)) found.push_back(entry.path().string());
  }
  if (error)
    throw InputError(data_dir.string() + ": " + error.message() + "; --bars or --data-dir says where bars are");
  std::ranges::sort(found);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw InputError(data_dir.string() + ": has no bars of '" + symbol + "'; looked for " + symbol + ".csv, " + symbol +
                     "_*.csv, " + symbol + "-*.csv, each also with .gz");
  }
  std::string list;
  for (const std::string& path : found) list += (list.empty() ? "" : ", ") + path;
  throw std::invalid_argument("several files fit '" + symbol + "', name one with --bars: " + list);
}

}  // namespace sentio

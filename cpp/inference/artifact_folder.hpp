#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sentio {

/// The files of an artifact folder, which anybody may have written: each is a regular file of a limited size inside the
/// folder, or it is refused.
class ArtifactFolder {
 public:
  /// Links in the path are followed now, and not again. @throws ArtifactError if there is no such folder.
  explicit ArtifactFolder(std::filesystem::path folder);

  /// Without links that lead to the folder.
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

  /// "folder/name", as messages begin.
  [[nodiscard]] std::string place(std::string_view name) const { return (folder_ / name).string(); }

  /// Whether there is anything of that name, a link that leads nowhere among it.
  [[nodiscard]] bool has(std::string_view name) const;

  /// The file's path. @throws ArtifactError if it is missing or a link out of the folder; InputError if it is too large
  /// or not a regular file.
  [[nodiscard]] std::filesystem::path checked(std::string_view name) const;

  /// The file's content. It is read once: what is hashed is what is parsed, whatever happens to the file meanwhile.
  [[nodiscard]] const std::string& document(const std::string& name);

  /// "sha256:<64 digits>" of the file: of its `document`, unless it is one that we do not parse.
  [[nodiscard]] std::string hash(const std::string& name);

  /// Files that a reader acts on.
  [[nodiscard]] static const std::vector<std::string>& read_by_us();

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::string> documents_;
};

}  // namespace sentio

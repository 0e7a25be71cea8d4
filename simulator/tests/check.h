// The smallest test frame that serves: cases register themselves, a failed check says where and what, the process's exit code counts.
#pragma once

#include <cstdio>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

#define TEST(name)                                  \
  static void name();                               \
  static Registration register_##name(#name, name); \
  static void name()

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

#define EXPECT(condition)                                     \
  do {                                                        \
    if (!(condition)) failed(__FILE__, __LINE__, #condition); \
  } while (false)

#define EXPECT_EQUAL(actual, expected)                    \
  do {                                                    \
    const auto a_ = (actual);                             \
    const auto e_ = (expected);                           \
    if (!(a_ == e_)) {                                    \
      std::ostringstream text_;                           \
      text_ << #actual << " is " << a_ << ", not " << e_; \
      failed(__FILE__, __LINE__, text_.str());            \
    }                                                     \
  } while (false)

#define EXPECT_CONTAINS(text, part)                                                                                \
  do {                                                                                                             \
    const std::string t_ = (text);                                                                                 \
    if (t_.find(part) == std::string::npos) failed(__FILE__, __LINE__, "\"" + t_ + "\" lacks \"" + (part) + "\""); \
  } while (false)

int main() {
  int failures = 0;
  for (const auto& one : cases()) {
    try {
      one.body();
      printf("passed  %s\n", one.name);
    } catch (const std::exception& error) {
      printf("FAILED  %s\n        %s\n", one.name, error.what());
      ++failures;
    }
    fflush(stdout);
  }
  return failures == 0 ? 0 : 1;
}

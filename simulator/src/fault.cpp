// Failures on demand: a test names a function and the status that one of its next calls returns.
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "device.h"

namespace {

struct Fault {
  int status;
  int after;
};

std::mutex mutex;
std::map<std::string, std::vector<Fault>> faults;
bool any = false;

}  // namespace

int sim::injected_fault(const char* function) {
  if (!any) return 0;
  std::lock_guard lock(mutex);
  const auto at = faults.find(function);
  if (at == faults.end()) return 0;
  for (size_t i = 0; i < at->second.size(); ++i) {
    if (at->second[i].after-- > 0) continue;
    const int status = at->second[i].status;
    at->second.erase(at->second.begin() + static_cast<std::ptrdiff_t>(i));
    return status;
  }
  return 0;
}

SIM_EXPORT void cudasimInjectFault(const char* function, int status, int after) {
  std::lock_guard lock(mutex);
  faults[function].push_back({status, after});
  any = true;
}

SIM_EXPORT void cudasimClearFaults() {
  std::lock_guard lock(mutex);
  faults.clear();
  any = false;
}

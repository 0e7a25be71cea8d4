// Memory of the device and the order of its work.
#include "device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace sim {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kAddressSpace = size_t{1} << 40;
constexpr size_t kGranularity = 16;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

size_t memory_from_environment() {
  const char* text = getenv("WEFT_SIM_MEMORY");
  const unsigned long long bytes = text ? strtoull(text, nullptr, 10) : 0;
  return bytes ? bytes : size_t{8} << 30;
}

}  // namespace

void poison(void* start, size_t bytes) { memset(start, 0xff, bytes); }

Device& Device::get() {
  static auto* device = new Device();
  return *device;
}

Device::Device() : total_(memory_from_environment()) {
  void* range = mmap(nullptr, kAddressSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) abort();
  base_ = next_ = reinterpret_cast<uintptr_t>(range);
}

// Every allocation ends right before a page that nobody may touch, has another before its first, and its addresses are never used again.
int Device::allocate(size_t bytes, uintptr_t* address) {
  if (bytes == 0) return kInvalidValue;
  if (bytes > total_ - used_) return kOutOfMemory;
  const size_t pages = round_up(bytes, kPage);
  if (next_ + pages + 2 * kPage > base_ + kAddressSpace) return kOutOfMemory;
  const uintptr_t first = next_ + kPage;
  if (mprotect(reinterpret_cast<void*>(first), pages, PROT_READ | PROT_WRITE) != 0) return kOutOfMemory;
  poison(reinterpret_cast<void*>(first), pages);
  next_ = first + pages + kPage;
  *address = first + pages - round_up(bytes, kGranularity);
  used_ += bytes;
  blocks_[first] = {*address, bytes, first, pages, true};
  return kSuccess;
}

int Device::free(uintptr_t address) {
  auto at = blocks_.upper_bound(address);
  if (at == blocks_.begin()) return kInvalidValue;
  auto& block = (--at)->second;
  if (block.start != address || !block.live) return kInvalidValue;
  if (const auto outside = written_outside(block); !outside.empty() && failure_.status == kSuccess) fail({kIllegalAddress, outside});
  madvise(reinterpret_cast<void*>(block.pages_start), block.pages, MADV_DONTNEED);
  mprotect(reinterpret_cast<void*>(block.pages_start), block.pages, PROT_NONE);
  block.live = false;
  used_ -= block.bytes;
  return failure_.status;
}

// An access close to an allocation may meet no guard page: what it wrote shows when the memory is freed.
std::string Device::written_outside(const Block& block) {
  const auto touched = [](uintptr_t first, uintptr_t last) {
    for (auto at = first; at < last; ++at)
      if (*reinterpret_cast<const unsigned char*>(at) != 0xff) return true;
    return false;
  };
  const char* side = touched(block.pages_start, block.start)                               ? "before the start"
                     : touched(block.start + block.bytes, block.pages_start + block.pages) ? "past the end"
                                                                                           : nullptr;
  return side ? std::string("a kernel has written just ") + side + " of an allocation of " + std::to_string(block.bytes) + " bytes" : "";
}

bool Device::owns(const void* pointer) const {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return address >= base_ && address < base_ + kAddressSpace;
}

bool Device::is_inside(uintptr_t address, size_t bytes) const {
  auto at = blocks_.upper_bound(address);
  if (at == blocks_.begin()) return false;
  const auto& block = (--at)->second;
  return block.live && address >= block.start && bytes <= block.start + block.bytes - address;
}

std::string Device::describe(uintptr_t address) const {
  if (address < base_ || address >= base_ + kAddressSpace) return "an address that is not on the device";
  auto at = blocks_.upper_bound(address);
  if (at != blocks_.begin()) {
    const auto& block = std::prev(at)->second;
    if (address < block.pages_start + block.pages)
      return "byte " + std::to_string(static_cast<int64_t>(address - block.start)) + " of " + (block.live ? "an" : "a freed") +
             " allocation of " + std::to_string(block.bytes) + " bytes";
    if (address < block.pages_start + block.pages + kPage)
      return std::to_string(address - block.start - block.bytes) + " bytes past the end of an allocation of " +
             std::to_string(block.bytes) + " bytes";
  }
  if (at != blocks_.end() && at->second.pages_start - address <= kPage)
    return std::to_string(at->second.start - address) + " bytes before an allocation of " + std::to_string(at->second.bytes) + " bytes";
  return "an address that was never allocated";
}

Stream* Device::find(Stream* handle) {
  if (!handle) {
    if (!default_stream_) {
      streams.push_back(std::make_unique<Stream>(true));
      default_stream_ = streams.back().get();
    }
    return default_stream_;
  }
  for (const auto& own : streams)
    if (own.get() == handle) return handle;
  return nullptr;
}

void Device::submit(Stream* stream, NodeKind kind, Operation operation) {
  if (stream->capture) {
    stream->capture->nodes.push_back({kind, std::move(operation)});
  } else {
    enqueue(stream, std::move(operation));
  }
}

uint64_t Device::enqueue(Stream* stream, Operation operation) {
  const auto wait_for = [&](Stream* other) {
    if (other == stream || !other->blocks || other->queue.empty()) return;
    stream->queue.push_back({++tickets_, [this, other, ticket = other->queue.back().ticket]() -> Failure {
                               if (find(other)) run_until(other, ticket);
                               return {};
                             }});
  };
  if (stream == default_stream_) {
    for (const auto& own : streams) wait_for(own.get());
  } else if (stream->blocks && default_stream_) {
    wait_for(default_stream_);
  }
  stream->queue.push_back({++tickets_, std::move(operation)});
  return tickets_;
}

int Device::run_until(Stream* stream, uint64_t ticket) {
  while (!stream->has_done(ticket)) {
    const auto operation = std::move(stream->queue.front().run);
    stream->queue.pop_front();
    if (failure_.status != kSuccess) continue;
    if (const Failure failure = operation(); failure.status != kSuccess) fail(failure);
  }
  return failure_.status;
}

int Device::run_all() {
  for (auto& stream : streams) run(stream.get());
  return failure_.status;
}

int Device::run_blocking() {
  for (auto& stream : streams)
    if (stream->blocks) run(stream.get());
  return failure_.status;
}

bool Device::is_capturing() const {
  for (const auto& stream : streams)
    if (stream->capture) return true;
  return false;
}

bool Device::spoils_capture() {
  bool any = false;
  for (auto& stream : streams) {
    if (!stream->capture || stream->capture_mode == CaptureMode::Relaxed) continue;
    if (stream->capture_mode == CaptureMode::ThreadLocal && stream->capture_thread != std::this_thread::get_id()) continue;
    stream->capture_failed = true;
    any = true;
  }
  return any;
}

void Device::fail(const Failure& failure) { failure_ = failure; }

// What giving back the last reference to the primary context does.
void Device::reset() {
  streams.clear();
  default_stream_ = nullptr;
  for (auto& [first, block] : blocks_)
    if (block.live) free(block.start);
  failure_ = {};
}

}  // namespace sim

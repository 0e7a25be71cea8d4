// The device: one address range, its allocations, its streams and the error that sticks until the context is given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sim {

// CUresult values that the device produces.
enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kMisalignedAddress = 716,
  kLaunchFailed = 719,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
};

struct Failure {
  int status = kSuccess;
  std::string report;
};

// Work that a stream holds; what it returns becomes the device's error.
using Operation = std::function<Failure()>;

struct Graph {
  std::vector<Operation> operations;
};

struct Stream;

struct Event {
  Stream* stream = nullptr;  // where it is still to be reached
  uint64_t ticket = 0;       // the operation of that stream that reaches it
  bool recorded = false;
  double milliseconds = 0;
};

struct Stream {
  std::deque<Operation> queue;
  uint64_t submitted = 0, done = 0;
  std::unique_ptr<Graph> capture;
  bool capture_failed = false;
};

class Device {
 public:
  static Device& get();

  // Held by every API call: the host sees one call at a time.
  std::recursive_mutex mutex;

  // --- memory ---
  int allocate(size_t bytes, uintptr_t* address);
  int free(uintptr_t address);
  bool owns(const void* pointer) const;
  bool is_inside(uintptr_t address, size_t bytes) const;
  // What lies at an address that nobody may touch.
  std::string describe(uintptr_t address) const;
  size_t total() const { return total_; }
  size_t used() const { return used_; }

  // --- work ---
  int submit(Stream* stream, Operation operation);
  // Runs a stream's work up to and including the operation with this ticket.
  int run_until(Stream* stream, uint64_t ticket);
  int run(Stream* stream) { return run_until(stream, stream->submitted); }
  int run_all();
  // Calls that wait or allocate must not happen while a stream records; they spoil the recording.
  bool spoils_capture();

  void fail(const Failure& failure);
  int error() const { return failure_.status; }
  const std::string& report() const { return failure_.report; }
  void reset();

  std::vector<std::unique_ptr<Stream>> streams;
  int references = 0;

 private:
  Device();
  struct Block {
    uintptr_t start;
    size_t bytes, pages_start, pages;
    bool live;
  };
  uintptr_t base_, next_;
  size_t total_, used_ = 0;
  std::map<uintptr_t, Block> blocks_;  // by first page, freed ones too
  Failure failure_;
};

// Fills with what nobody wrote: every 16- and 32-bit number is NaN or −1.
void poison(void* start, size_t bytes);

// The status to return instead of running this function, or 0.
int injected_fault(const char* function);

}  // namespace sim

#define SIM_EXPORT extern "C" __attribute__((visibility("default")))
#define SIM_FAULT() \
  if (const int injected = sim::injected_fault(__func__)) return injected

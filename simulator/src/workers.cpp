// A pool with one thread a processor. The host's own threads run no kernel: signals of bad accesses belong to these.
#include "workers.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace sim {
namespace {

class Pool {
 public:
  Pool() {
    install_signal_handler();
    const unsigned count = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) std::thread([this] { loop(); }).detach();
    workers_ = count;
  }

  Failure run(uint64_t count, const std::function<Failure(BlockRunner&, uint64_t)>& work) {
    std::unique_lock lock(mutex_);
    work_ = &work;
    count_ = count;
    next_ = 0;
    failure_ = {};
    busy_ = static_cast<unsigned>(std::min<uint64_t>(workers_, count));
    wanted_ = busy_;
    ++generation_;
    start_.notify_all();
    done_.wait(lock, [this] { return busy_ == 0; });
    return failure_;
  }

 private:
  void loop() {
    BlockRunner runner;
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return generation_ != seen && wanted_ > 0; });
      seen = generation_;
      --wanted_;
      const auto* work = work_;
      const uint64_t count = count_;
      lock.unlock();
      Failure failure;
      for (uint64_t i = next_++; i < count && failure.status == kSuccess; i = next_++) failure = (*work)(runner, i);
      lock.lock();
      if (failure.status != kSuccess) {
        next_ = count;
        if (failure_.status == kSuccess) failure_ = failure;
      }
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<Failure(BlockRunner&, uint64_t)>* work_ = nullptr;
  uint64_t count_ = 0, generation_ = 0;
  std::atomic<uint64_t> next_ = 0;
  unsigned workers_ = 0, busy_ = 0, wanted_ = 0;
  Failure failure_;
};

Pool& pool() {
  static auto* pool = new Pool();
  return *pool;
}

}  // namespace

Failure run_grid(const Launch& launch) {
  const uint64_t blocks = static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
  return pool().run(blocks, [&](BlockRunner& runner, uint64_t index) { return runner.run(launch, index); });
}

Failure run_items(const std::string& name, uint64_t count, const std::function<void(uint64_t)>& item) {
  return pool().run(count, [&](BlockRunner&, uint64_t index) { return guarded(name, [&] { item(index); }); });
}

}  // namespace sim

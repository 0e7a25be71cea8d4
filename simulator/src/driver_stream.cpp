// Streams and events.
#include <chrono>

#include "driver.h"

using namespace sim;

namespace {

constexpr unsigned kNonBlocking = 1, kDisableTiming = 2;

double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool is_reached(const Event* event) { return !event->recorded || !device().find(event->stream) || event->stream->has_done(event->ticket); }

int create(Stream** stream, unsigned flags) {
  if ((flags & ~kNonBlocking) != 0) return kInvalidValue;
  device().streams.push_back(std::make_unique<Stream>((flags & kNonBlocking) == 0));
  *stream = device().streams.back().get();
  return kSuccess;
}

}  // namespace

SIM_EXPORT int cuStreamCreate(Stream** stream, unsigned flags) {
  CONTEXT();
  return create(stream, flags);
}

SIM_EXPORT int cuStreamCreateWithPriority(Stream** stream, unsigned flags, int) {
  CONTEXT();
  return create(stream, flags);
}

SIM_EXPORT int cuStreamDestroy_v2(Stream* handle) {
  CONTEXT();
  if (!handle) return kInvalidHandle;
  FIND_STREAM(handle);
  device().run(stream);
  for (auto at = device().streams.begin(); at != device().streams.end(); ++at) {
    if (at->get() != stream) continue;
    device().streams.erase(at);
    break;
  }
  return kSuccess;
}

SIM_EXPORT int cuStreamSynchronize(Stream* handle) {
  CONTEXT();
  FIND_STREAM(handle);
  if (stream->capture) stream->capture_failed = true;
  if (device().spoils_capture() || stream->capture) return kCaptureUnsupported;
  return device().run(stream);
}

SIM_EXPORT int cuStreamQuery(Stream* handle) {
  CONTEXT();
  FIND_STREAM(handle);
  if (stream->capture) stream->capture_failed = true;
  if (device().spoils_capture() || stream->capture) return kCaptureUnsupported;
  if (stream->queue.empty()) return kSuccess;
  device().run(stream);
  return device().error() ? device().error() : static_cast<int>(kNotReady);
}

SIM_EXPORT int cuLaunchHostFunc(Stream* handle, void (*function)(void*), void* data) {
  CONTEXT();
  FIND_STREAM(handle);
  device().submit(stream, NodeKind::HostFunction, [=]() -> Failure {
    function(data);
    return {};
  });
  return kSuccess;
}

// --- events ---

SIM_EXPORT int cuEventCreate(Event** event, unsigned flags) {
  CONTEXT();
  *event = new Event();
  (*event)->timed = (flags & kDisableTiming) == 0;
  return kSuccess;
}

SIM_EXPORT int cuEventDestroy_v2(Event* event) {
  CONTEXT();
  // Queued work may still name it.
  device().run_all();
  delete event;
  return kSuccess;
}

SIM_EXPORT int cuEventRecord(Event* event, Stream* handle) {
  CONTEXT();
  FIND_STREAM(handle);
  event->captured = stream->capture ? stream : nullptr;
  if (stream->capture) return kSuccess;
  event->recorded = true;
  event->stream = stream;
  event->ticket = device().enqueue(stream, [=]() -> Failure {
    event->milliseconds = now();
    return {};
  });
  return kSuccess;
}

SIM_EXPORT int cuEventQuery(Event* event) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  if (event->captured) return kCapturedEvent;
  if (is_reached(event)) return kSuccess;
  device().run_until(event->stream, event->ticket);
  return device().error() ? device().error() : static_cast<int>(kNotReady);
}

SIM_EXPORT int cuEventSynchronize(Event* event) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  if (event->captured) return kCapturedEvent;
  return is_reached(event) ? static_cast<int>(kSuccess) : device().run_until(event->stream, event->ticket);
}

namespace {

int elapsed(float* milliseconds, const Event* start, const Event* end) {
  if (!start->timed || !end->timed || !start->recorded || !end->recorded) return kInvalidHandle;
  if (start->captured || end->captured) return kCapturedEvent;
  if (!is_reached(start) || !is_reached(end)) return kNotReady;
  *milliseconds = static_cast<float>(end->milliseconds - start->milliseconds);
  return kSuccess;
}

}  // namespace

SIM_EXPORT int cuEventElapsedTime(float* milliseconds, Event* start, Event* end) {
  CONTEXT();
  return elapsed(milliseconds, start, end);
}

SIM_EXPORT int cuEventElapsedTime_v2(float* milliseconds, Event* start, Event* end) {
  CONTEXT();
  return elapsed(milliseconds, start, end);
}

SIM_EXPORT int cuStreamWaitEvent(Stream* handle, Event* event, unsigned) {
  CONTEXT();
  FIND_STREAM(handle);
  if (stream->capture) {
    // What a stream records is in order anyway. Drawing another stream into a recording is not modelled.
    if (event->captured == stream) return kSuccess;
    stream->capture_failed = true;
    return event->captured ? kNotSupported : kCaptureIsolation;
  }
  if (event->captured) return kCapturedEvent;
  if (is_reached(event)) return kSuccess;
  device().enqueue(stream, [other = event->stream, ticket = event->ticket]() -> Failure {
    if (device().find(other)) device().run_until(other, ticket);
    return {};
  });
  return kSuccess;
}

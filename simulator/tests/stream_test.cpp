// Order of work: nothing happens before something waits for it, events order streams, and a captured graph replays what was recorded.
#include "device.h"

namespace {

// y[0] += n
Kernel* adder(Device& device) { return device.kernel("p.y[0] += p.n;"); }

Graph* record(Device& device, Kernel* kernel, std::vector<int> amounts, uintptr_t y) {
  OK(cuStreamBeginCapture_v2(device.stream, 0));
  for (const int n : amounts) OK(device.launch(kernel, 1, 1, 0, {y, 0, n}));
  Graph* graph = nullptr;
  OK(cuStreamEndCapture(device.stream, &graph));
  return graph;
}

struct UpdateResult {
  int result;
  void *node, *from;
};

}  // namespace

TEST(a_host_that_does_not_wait_sees_what_was_there_before) {
  Device device;
  const auto y = device.upload<int>({7});
  int seen = -1;
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 1}));
  OK(cuMemcpyDtoHAsync_v2(&seen, y, 4, device.stream));
  EXPECT_EQUAL(seen, -1);
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 7);  // the stream does not wait for the synchronous copy's, nor the copy for it
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(seen, 8);
}

TEST(a_synchronous_copy_waits_for_streams_that_block) {
  Device device;
  const auto y = device.upload<int>({7});
  OK(cuStreamCreate(&device.stream, 0));
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 1}));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 8);
}

TEST(the_default_stream_takes_work) {
  Device device;
  const auto y = device.upload<int>({7});
  device.stream = nullptr;
  OK(device.run(adder(device), 1, 1, 0, {y, 0, 1}));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 8);
}

TEST(an_event_orders_two_streams) {
  Device device;
  const auto y = device.upload<int>({1});
  Stream* other = nullptr;
  Event* event = nullptr;
  OK(cuStreamCreate(&other, 1));
  OK(cuEventCreate(&event, 0));
  int seen = -1;
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 4}));
  OK(cuEventRecord(event, device.stream));
  OK(cuStreamWaitEvent(other, event, 0));
  OK(cuMemcpyDtoHAsync_v2(&seen, y, 4, other));
  OK(cuStreamSynchronize(other));
  EXPECT_EQUAL(seen, 5);
  OK(cuEventDestroy_v2(event));
}

TEST(without_the_event_the_other_stream_does_not_wait) {
  Device device;
  const auto y = device.upload<int>({1});
  Stream* other = nullptr;
  OK(cuStreamCreate(&other, 1));
  int seen = -1;
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 4}));
  OK(cuMemcpyDtoHAsync_v2(&seen, y, 4, other));
  OK(cuStreamSynchronize(other));
  EXPECT_EQUAL(seen, 1);
}

TEST(events_have_times_once_they_are_reached) {
  Device device;
  Event *start = nullptr, *end = nullptr, *untimed = nullptr;
  OK(cuEventCreate(&start, 0));
  OK(cuEventCreate(&end, 0));
  OK(cuEventCreate(&untimed, 2));
  OK(cuEventRecord(start, device.stream));
  OK(device.launch(adder(device), 1, 1, 0, {device.upload<int>({0}), 0, 1}));
  OK(cuEventRecord(end, device.stream));
  OK(cuEventRecord(untimed, device.stream));
  float milliseconds = -1;
  EXPECT_EQUAL(cuEventElapsedTime(&milliseconds, start, end), static_cast<int>(kNotReady));
  EXPECT_EQUAL(cuEventQuery(end), static_cast<int>(kNotReady));
  OK(cuEventSynchronize(untimed));
  OK(cuEventQuery(end));
  OK(cuEventElapsedTime(&milliseconds, start, end));
  EXPECT(milliseconds > 0);
  EXPECT_EQUAL(cuEventElapsedTime(&milliseconds, start, untimed), 400);
}

TEST(host_functions_run_in_order) {
  Device device;
  const auto y = device.upload<int>({1});
  struct Seen {
    int value = -1, at_call = -2;
  } seen;
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 4}));
  OK(cuMemcpyDtoHAsync_v2(&seen.value, y, 4, device.stream));
  OK(cuLaunchHostFunc(
      device.stream, [](void* data) { static_cast<Seen*>(data)->at_call = static_cast<Seen*>(data)->value; }, &seen));
  EXPECT_EQUAL(seen.at_call, -2);
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(seen.at_call, 5);
}

TEST(a_graph_replays_what_was_recorded) {
  Device device;
  const auto y = device.upload<int>({0});
  auto* graph = record(device, adder(device), {1, 10}, y);
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 0);
  GraphExec* exec = nullptr;
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  for (int i = 0; i < 3; ++i) OK(cuGraphLaunch(exec, device.stream));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 33);
  OK(cuGraphExecDestroy(exec));
}

TEST(a_graph_takes_new_parameters_but_no_new_shape) {
  Device device;
  const auto y = device.upload<int>({0});
  auto* kernel = adder(device);
  GraphExec* exec = nullptr;
  UpdateResult result = {};
  OK(cuGraphInstantiateWithFlags(&exec, record(device, kernel, {1, 10}, y), 0));
  OK(cuGraphExecUpdate_v2(exec, record(device, kernel, {2, 20}, y), &result));
  OK(cuGraphLaunch(exec, device.stream));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 22);
  EXPECT_EQUAL(cuGraphExecUpdate_v2(exec, record(device, kernel, {1}, y), &result), static_cast<int>(kGraphUpdateFailure));
  EXPECT_EQUAL(result.result, 2);
  OK(cuGraphLaunch(exec, device.stream));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 44);
}

TEST(what_waits_or_allocates_spoils_a_capture) {
  Device device;
  const auto y = device.upload<int>({0});
  int value = 0;
  uintptr_t address = 0;
  const auto spoils = [&](auto call) {
    OK(cuStreamBeginCapture_v2(device.stream, 0));
    EXPECT_EQUAL(call(), static_cast<int>(kCaptureUnsupported));
    int status = 0;
    OK(cuStreamIsCapturing(device.stream, &status));
    EXPECT_EQUAL(status, 2);
    Graph* graph = nullptr;
    EXPECT_EQUAL(cuStreamEndCapture(device.stream, &graph), static_cast<int>(kCaptureInvalidated));
    EXPECT(graph == nullptr);
  };
  spoils([&] { return cuStreamSynchronize(device.stream); });
  spoils([&] { return cuStreamQuery(device.stream); });
  spoils([&] { return cuCtxSynchronize(); });
  spoils([&] { return cuMemAlloc_v2(&address, 16); });
  spoils([&] { return cuMemcpyDtoH_v2(&value, y, 4); });
}

TEST(a_capture_knows_no_work_from_outside) {
  Device device;
  Event* event = nullptr;
  OK(cuEventCreate(&event, 0));
  OK(cuEventRecord(event, device.stream));
  OK(cuStreamBeginCapture_v2(device.stream, 0));
  EXPECT_EQUAL(cuStreamWaitEvent(device.stream, event, 0), static_cast<int>(kCaptureIsolation));
  Graph* graph = nullptr;
  EXPECT_EQUAL(cuStreamEndCapture(device.stream, &graph), static_cast<int>(kCaptureInvalidated));
}

TEST(an_event_of_a_capture_cannot_be_waited_for) {
  Device device;
  Event* event = nullptr;
  OK(cuEventCreate(&event, 0));
  OK(cuStreamBeginCapture_v2(device.stream, 2));
  OK(cuEventRecord(event, device.stream));
  Graph* graph = nullptr;
  OK(cuStreamEndCapture(device.stream, &graph));
  EXPECT_EQUAL(cuEventSynchronize(event), static_cast<int>(kCapturedEvent));
}

TEST(stream_ordered_memory_is_freed_in_its_turn) {
  Device device;
  uintptr_t y = 0;
  OK(cuMemAllocAsync(&y, 4, device.stream));
  OK(cuMemsetD32Async(y, 3, 1, device.stream));
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 4}));
  int seen = 0;
  OK(cuMemcpyDtoHAsync_v2(&seen, y, 4, device.stream));
  OK(cuMemFreeAsync(y, device.stream));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(seen, 7);
  OK(device.launch(adder(device), 1, 1, 0, {y, 0, 4}));
  EXPECT_EQUAL(cuStreamSynchronize(device.stream), static_cast<int>(kIllegalAddress));
}

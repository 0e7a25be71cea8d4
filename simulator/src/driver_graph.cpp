// Recording a stream's work, and replaying it. A graph is the row of operations that one stream recorded.
#include "driver.h"

using namespace sim;

SIM_EXPORT int cuStreamBeginCapture_v2(Stream* handle, int mode) {
  CONTEXT();
  if (!handle) return kCaptureUnsupported;
  FIND_STREAM(handle);
  if (mode < 0 || mode > 2) return kInvalidValue;
  if (stream->capture) return kInvalidValue;
  stream->capture = std::make_unique<Graph>();
  stream->capture_mode = static_cast<CaptureMode>(mode);
  stream->capture_thread = std::this_thread::get_id();
  stream->capture_failed = false;
  return kSuccess;
}

SIM_EXPORT int cuStreamEndCapture(Stream* handle, Graph** graph) {
  CONTEXT();
  FIND_STREAM(handle);
  *graph = nullptr;
  if (!stream->capture) return kInvalidValue;
  if (stream->capture_mode != CaptureMode::Relaxed && stream->capture_thread != std::this_thread::get_id()) return kCaptureWrongThread;
  auto captured = std::move(stream->capture);
  if (stream->capture_failed) return kCaptureInvalidated;
  *graph = captured.release();
  return kSuccess;
}

SIM_EXPORT int cuStreamIsCapturing(Stream* handle, int* status) {
  CONTEXT();
  FIND_STREAM(handle);
  *status = !stream->capture ? 0 : stream->capture_failed ? 2 : 1;
  return kSuccess;
}

SIM_EXPORT int cuGraphInstantiateWithFlags(Graph** exec, const Graph* graph, unsigned long long) {
  CONTEXT();
  if (!graph) return kInvalidValue;
  *exec = new Graph(*graph);
  return kSuccess;
}

// Where a node's place or kind differs, nothing changes and the result says which: CUgraphExecUpdateResultInfo.
SIM_EXPORT int cuGraphExecUpdate_v2(Graph* exec, const Graph* graph, void* info) {
  CONTEXT();
  struct Info {
    int result;
    const void *node, *from;
  };
  constexpr int kUpdated = 0, kTopologyChanged = 2, kKindChanged = 3;
  Info result = {kUpdated, nullptr, nullptr};
  if (exec->nodes.size() != graph->nodes.size()) result.result = kTopologyChanged;
  for (size_t i = 0; i < graph->nodes.size() && result.result == kUpdated; ++i)
    if (exec->nodes[i].kind != graph->nodes[i].kind) result = {kKindChanged, &graph->nodes[i], nullptr};
  *static_cast<Info*>(info) = result;
  if (result.result != kUpdated) return kGraphUpdateFailure;
  exec->nodes = graph->nodes;
  return kSuccess;
}

SIM_EXPORT int cuGraphGetNodes(const Graph* graph, void** nodes, size_t* count) {
  CONTEXT();
  if (nodes) return kNotSupported;
  *count = graph->nodes.size();
  return kSuccess;
}

SIM_EXPORT int cuGraphDestroy(Graph* graph) {
  SIM_FAULT();
  delete graph;
  return kSuccess;
}

SIM_EXPORT int cuGraphExecDestroy(Graph* exec) {
  SIM_FAULT();
  delete exec;
  return kSuccess;
}

SIM_EXPORT int cuGraphLaunch(const Graph* exec, Stream* handle) {
  CONTEXT();
  FIND_STREAM(handle);
  for (const auto& node : exec->nodes) device().submit(stream, node.kind, node.run);
  return kSuccess;
}

"""Times PyTorch at the work that a Weft profile timed: reads a JSON list of {kind, sizes} from the first file, writes {version, microseconds} to
the second. As the profile does, it captures launches into a CUDA graph, rotates their inputs through more memory than the cache holds, and
takes the median of replays. Without a GPU it runs on the CPU, once each, which shows only that it works."""
import json
import statistics
import sys

import torch
import torch.nn.functional as F

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
TYPE = torch.bfloat16
REPEATS = 15
TARGET_MICROSECONDS = 2000
ROTATED_BYTES = (1 << 30) if CUDA else (1 << 22)


def measure(launch):
    """Microseconds of one launch; launch(i) is number i."""
    launch(0)
    if not CUDA:
        return 0.0
    torch.cuda.synchronize()
    once = replay(launch, 1, 1)[0]
    count = int(min(max(TARGET_MICROSECONDS / max(once, 1), 1), 200))
    return statistics.median(replay(launch, count, REPEATS))


def replay(launch, count, repeats):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(count):
            launch(i)
    for _ in range(3):
        graph.replay()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for _ in range(repeats):
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000 / count)
    return times


def rotated(*shape, type=TYPE):
    """Random tensors of this shape, as many as fit ROTATED_BYTES, by turn number."""
    one = torch.randn(shape, device=DEVICE, dtype=torch.float32).to(type)
    places = max(1, min(64, ROTATED_BYTES // (one.numel() * one.element_size())))
    all = one.unsqueeze(0).repeat(places, *[1] * len(shape))
    return lambda turn: all[turn % places]


def product(n, m, k):
    x, w = rotated(n, k), rotated(m, k)
    return measure(lambda i: F.linear(x(i), w(i)))


def norm(rows, width):
    # Weft's residual stream is float32 and what it stores 16 bits wide.
    x, weight = rotated(rows, width, type=torch.float32), torch.ones(width, device=DEVICE)
    compiled = torch.compile(lambda x: F.rms_norm(x, (width,), weight, 1e-5).to(TYPE)) if CUDA else lambda x: F.rms_norm(x, (width,), weight, 1e-5).to(TYPE)
    return measure(lambda i: compiled(x(i)))


def attention(batch, queries, positions, heads, groups, size, causal):
    q, k, v = rotated(batch, heads, queries, size), rotated(batch, groups, positions, size), rotated(batch, groups, positions, size)
    return measure(lambda i: F.scaled_dot_product_attention(q(i), k(i), v(i), is_causal=causal, enable_gqa=heads != groups))


KINDS = {
    "product": product,
    "norm": norm,
    # PyTorch has no paged cache: contiguous keys and values, which is easier.
    "decode": lambda batch, positions, heads, groups, size: attention(batch, 1, positions, heads, groups, size, False),
    "prefill": lambda batch, tokens, heads, groups, size: attention(batch, tokens, tokens, heads, groups, size, True),
}


def main(work_file, answer_file):
    with open(work_file, encoding="utf-8") as file:
        work = json.load(file)
    answers = {}
    with torch.no_grad():
        for item in work:
            key = (item["kind"], *item["sizes"])
            if key in answers:
                continue
            try:
                answers[key] = measure_once(item)
            except RuntimeError as failure:  # one that does not fit must not lose the others
                print(f"{key}: {failure}", file=sys.stderr)
                answers[key] = None
            if CUDA:
                torch.cuda.empty_cache()
    with open(answer_file, "w", encoding="utf-8") as file:
        json.dump({"version": torch.__version__, "microseconds": [answers[(item["kind"], *item["sizes"])] for item in work]}, file)


def measure_once(item):
    return KINDS[item["kind"]](*item["sizes"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

using Weft.Backends.Cuda.Kernels;
using Weft.Tensors;

namespace Weft.Profile.Workloads;

/// <summary>What a learned prompt of a usual length adds to a prefill step: of most tokens the kernels read the position alone.</summary>
internal sealed class VirtualTokenWorkloads(ModelShape model, DataType type)
{
    private const int MostTokens = 20;
    private const int Half = sizeof(ushort);

    /// <summary>A text's first step.</summary>
    public IEnumerable<Workload> All(CacheLayout cache, int tokens) => [VirtualRows(tokens), VirtualKeys(cache, tokens)];

    private Workload VirtualRows(int tokens)
    {
        var count = Math.Min(MostTokens, tokens);
        return Workload.Of<VirtualRowsParams>(
            "virtual_rows", $"{model.Name} {count} of {tokens}×{model.Hidden}", VirtualTokenKernels.Rows(type), VirtualTokenKernels.Shape(tokens),
            ((double)count * model.Hidden * (Half + sizeof(float))) + (tokens * sizeof(int)), 0, 0, operands =>
            {
                var x = operands.Zeros((long)tokens * model.Hidden * sizeof(float));
                var positions = operands.Upload<int>([.. Enumerable.Range(0, tokens)]);
                return turn => new VirtualRowsParams
                {
                    Table = operands.Random((long)count * model.Hidden * Half, turn),
                    Positions = positions,
                    X = x,
                    Count = count,
                    Width = model.Hidden,
                    Stride = model.Hidden,
                    XStride = model.Hidden,
                };
            });
    }

    private Workload VirtualKeys(CacheLayout cache, int tokens)
    {
        var (count, width) = (Math.Min(MostTokens, tokens), 2 * model.KeyHeads * model.HeadSize);
        return Workload.Of<VirtualKeysParams>(
            "virtual_keys", $"{model.Name} {count} of {tokens}, {model.KeyHeads} heads of {model.HeadSize}", VirtualTokenKernels.Keys(type, type), VirtualTokenKernels.Shape(tokens),
            (2.0 * count * width * Half) + (2.0 * tokens * sizeof(int)), 0, 0, operands =>
            {
                var positions = operands.Upload<int>([.. Enumerable.Range(0, tokens)]);
                var slots = operands.Upload<int>(cache.Slots(tokens));
                var (keys, values) = (operands.Zeros(cache.Bytes(model)), operands.Zeros(cache.Bytes(model)));
                return turn => new VirtualKeysParams
                {
                    Table = operands.Random((long)count * width * Half, turn),
                    Positions = positions,
                    Slots = slots,
                    Keys = keys,
                    Values = values,
                    Count = count,
                    KeyHeads = model.KeyHeads,
                    HeadSize = model.HeadSize,
                    CacheRow = model.HeadSize,
                    Stride = width,
                };
            });
    }
}

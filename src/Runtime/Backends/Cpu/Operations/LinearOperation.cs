using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>One bound weight matrix of a <see cref="LinearOperation{TSimd, TVector}"/>.</summary>
/// <param name="kernel">Multiplies.</param>
/// <param name="weight">The matrix.</param>
/// <param name="bias">[M], or null.</param>
/// <param name="rows">M.</param>
/// <param name="packed">Where its packed activations are.</param>
internal readonly unsafe struct BoundSegment(MatMulKernel kernel, byte* weight, float* bias, int rows, float* packed)
{
    public readonly MatMulKernel Kernel = kernel;
    public readonly byte* Weight = weight;
    public readonly float* Bias = bias;
    public readonly int Rows = rows;
    public readonly float* Packed = packed;
}

/// <summary>
/// <see cref="FusedLinearNode"/>: an item is a range of rows of a segment (of gate and up together when gated) for all tokens, so that
/// each weight is read by one thread and the epilogue finds its inputs in that thread's cache. All segments have one weight type,
/// because they share packed activations.
/// </summary>
internal sealed unsafe class LinearOperation<TSimd, TVector> : Operation
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Enough items that a thread delayed by the system does not hold up the others for long.
    private const int ItemsPerThread = 8;

    // Rows of a tile of quantized weights.
    private const int RowGranularity = 16;

    private readonly BoundSegment[] segments;
    private readonly Activation? gate;
    private readonly Activation? epilogue;
    private readonly Rows rows;
    private readonly MatMulArguments template;
    private readonly int itemRows;
    private readonly int items;
    private int count;

    public LinearOperation(ProgramContext context, FusedLinearNode node, BoundSegment[] segments, int k, float* x, float* y)
        : base(context)
    {
        this.segments = segments;
        gate = node.Gate;
        epilogue = node.Epilogue;
        rows = node.X.Rows;
        template = new MatMulArguments
        {
            X = x,
            XStride = node.X.Width,
            Y = y,
            YStride = node.Y.Width,
            Accumulate = node.Accumulate,
            K = k,
        };
        var total = gate is null ? segments.Sum(segment => segment.Rows) : segments[0].Rows;
        var even = (total + (context.Threads * ItemsPerThread) - 1) / (context.Threads * ItemsPerThread);
        itemRows = Math.Clamp((even + RowGranularity - 1) / RowGranularity * RowGranularity, RowGranularity, MatMulKernel.RowBlock);
        items = gate is null ? segments.Sum(ItemsOf) : ItemsOf(segments[0]);
    }

    public override int Prepare()
    {
        count = rows == Rows.Logits ? Batch.LogitRowCount : Batch.TokenCount;
        if (count == 0)
            return 0;
        if (count <= MatMulKernel.FewTokens && segments[0].Kernel.PacksItself)
        {
            var arguments = template;
            arguments.N = count;
            segments[0].Kernel.Pack(arguments, Context.Packed);
        }

        return items;
    }

    [MethodImpl(Hot.Path)]
    public override void Run(int item, int thread)
    {
        var scratch = Context.Scratch(thread);
        if (gate is { } activation)
        {
            var first = item * itemRows;
            var end = Math.Min(first + itemRows, segments[0].Rows);
            Multiply(segments[0], 0, first, end, scratch);
            Multiply(segments[1], segments[0].Rows, first, end, scratch);
            ActivationLoop<TSimd, TVector>.Run(activation, template.Y, template.YStride, count, first, end, segments[0].Rows);
            return;
        }

        var column = 0;
        foreach (ref readonly var segment in segments.AsSpan())
        {
            if (item < ItemsOf(segment))
            {
                var first = item * itemRows;
                var end = Math.Min(first + itemRows, segment.Rows);
                Multiply(segment, column, first, end, scratch);
                if (epilogue is { } last)
                    ActivationLoop<TSimd, TVector>.Run(last, template.Y, template.YStride, count, first, end, 0);
                return;
            }

            item -= ItemsOf(segment);
            column += segment.Rows;
        }
    }

    private int ItemsOf(BoundSegment segment) => (segment.Rows + itemRows - 1) / itemRows;

    private void Multiply(in BoundSegment segment, int column, int first, int end, float* scratch)
    {
        var arguments = template;
        arguments.N = count;
        arguments.W = segment.Weight;
        arguments.PackedX = segment.Packed;
        arguments.PackedRows = count;
        arguments.Bias = segment.Bias;
        arguments.Y += column;
        segment.Kernel.Run(arguments, first, end, scratch);
    }
}

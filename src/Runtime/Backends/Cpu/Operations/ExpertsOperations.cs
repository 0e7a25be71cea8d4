using System.Numerics.Tensors;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>First part of an <see cref="ExpertsNode"/>: chooses the experts and brings each one's tokens together.</summary>
internal sealed unsafe class RouteOperation(ProgramContext context, ExpertRouting routing, float* logits, float* bias, float* x) : RowOperation(context, Rows.Tokens)
{
    protected override void Begin() => routing.Choose(logits, bias, Batch.TokenCount);

    protected override void RunRow(int row, int thread)
    {
        var source = new ReadOnlySpan<float>(x + ((nint)row * routing.Width), routing.Width);
        for (var i = row * routing.Active; i < (row + 1) * routing.Active; i++)
            source.CopyTo(new Span<float>(routing.Inputs + ((nint)routing.Places[i] * routing.Width), routing.Width));
    }
}

/// <summary>Before a projection with codes of integers: quantizes what the experts read, a row an assignment.</summary>
internal sealed unsafe class QuantizeExpertsOperation(ProgramContext context, ExpertRouting routing, float* x, int stride, QuantizedRows[] targets)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        for (var i = row * routing.Active; i < (row + 1) * routing.Active; i++)
        {
            foreach (var target in targets)
                target.Input.Quantize(x + ((nint)i * stride), (byte*)target.Address, i, Batch.TokenCount * routing.Active);
        }
    }
}

/// <summary>
/// Second and third part: a projection of every expert over its own tokens, followed by the activation of <paramref name="epilogue"/> if there is one; an item
/// is a range of one expert's rows.
/// </summary>
internal sealed unsafe class ExpertProjectionOperation<TSimd, TVector>(
    ProgramContext context, ExpertRouting routing, ExpertMatrix[] matrices, FeedForwardDescription? epilogue, float* x, int xStride, int inner, float* y, int yStride)
    : Operation(context)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ItemRows = 64;

    private readonly int rows = matrices[0].Rows;
    private readonly int itemsEach = (matrices[0].Rows + ItemRows - 1) / ItemRows;
    private readonly int[] busy = new int[routing.Starts.Length - 1]; // experts that have tokens

    public override int Prepare()
    {
        var count = 0;
        for (var expert = 0; expert < busy.Length; expert++)
        {
            var arguments = Arguments(expert);
            if (arguments.N == 0)
                continue;
            busy[count++] = expert;
            if (arguments.N <= MatMulKernel.FewTokens && matrices[0].Kernel.PacksItself)
                matrices[0].Kernel.Pack(arguments, arguments.PackedX);
        }

        return count * itemsEach;
    }

    public override void Run(int item, int thread)
    {
        var expert = busy[item / itemsEach];
        var first = item % itemsEach * ItemRows;
        var end = Math.Min(first + ItemRows, rows);
        var arguments = Arguments(expert);
        var result = arguments.Y;
        for (var i = 0; i < matrices.Length; i++)
        {
            // An expert's rows are some of the whole matrix's.
            var start = expert * rows;
            arguments.W = matrices[i].Weights;
            arguments.Bias = matrices[i].Bias;
            if (!matrices[i].Kernel.PacksItself)
            {
                arguments.PackedX = (float*)matrices[i].Input.Address;
                arguments.PackedRows = Batch.TokenCount * routing.Active;
                arguments.FirstPackedRow = routing.Starts[expert];
            }

            arguments.Y = result + (i * rows) - start;
            matrices[i].Kernel.Run(arguments, start + first, start + end, Context.Scratch(thread));
        }

        if (epilogue is null)
            return;
        if (epilogue.Limit is { } limit)
            GateLimit.Apply(limit, result, yStride, arguments.N, first, end, rows);
        ActivationLoop<TSimd, TVector>.Run(epilogue.Activation, result, yStride, arguments.N, first, end, epilogue.Plain ? 0 : rows);
    }

    private MatMulArguments Arguments(int expert)
    {
        var first = routing.Starts[expert];
        return new()
        {
            X = x + ((nint)first * xStride),
            XStride = xStride,
            PackedX = routing.Packed(expert),
            Y = y + ((nint)first * yStride),
            YStride = yStride,
            N = routing.Starts[expert + 1] - first,
            K = inner,
        };
    }
}

/// <summary>What <see cref="FeedForwardDescription.Limit"/> does to gates and ups, before the activation.</summary>
internal static unsafe class GateLimit
{
    /// <summary>Gates y[t, i] are clamped from above, ups y[t, up + i] from both sides, and ups become larger by one.</summary>
    public static void Apply(float limit, float* y, nint stride, int rows, int first, int end, int up)
    {
        for (var row = 0; row < rows; row++, y += stride)
        {
            var gates = new Span<float>(y + first, end - first);
            TensorPrimitives.Min(gates, limit, gates);
            var ups = new Span<float>(y + up + first, end - first);
            TensorPrimitives.Clamp(ups, -limit, limit, ups);
            TensorPrimitives.Add(ups, 1, ups);
        }
    }
}

/// <summary>A projection of all experts, one's rows after the other's.</summary>
/// <param name="kernel">Multiplies.</param>
/// <param name="weights">The first expert's.</param>
/// <param name="bias">The first expert's, or null.</param>
/// <param name="rows">Of one expert.</param>
/// <param name="input">Where its input is as integers, for kernels that read those.</param>
internal readonly unsafe struct ExpertMatrix(MatMulKernel kernel, byte* weights, float* bias, int rows, QuantizedRows input)
{
    public readonly MatMulKernel Kernel = kernel;
    public readonly byte* Weights = weights;
    public readonly float* Bias = bias;
    public readonly int Rows = rows;
    public readonly QuantizedRows Input = input;
}

/// <summary>Last part: adds up what each token's experts gave, in the order in which they were chosen.</summary>
internal sealed unsafe class CombineOperation(ProgramContext context, ExpertRouting routing, float* y) : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var sum = new Span<float>(y + ((nint)row * routing.Width), routing.Width);
        sum.Clear();
        for (var i = row * routing.Active; i < (row + 1) * routing.Active; i++)
        {
            var given = new ReadOnlySpan<float>(routing.Outputs + ((nint)routing.Places[i] * routing.Width), routing.Width);
            TensorPrimitives.FusedMultiplyAdd(given, routing.Weights[i], sum, sum);
        }
    }
}

/// <summary><see cref="SwitchNode"/>.</summary>
internal sealed unsafe class SwitchOperation(ProgramContext context, int width, float* onOff, float* x, float* y) : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var offset = (nint)row * width;
        TensorPrimitives.Multiply(new ReadOnlySpan<float>(x + offset, width), 1 / (1 + MathF.Exp(-onOff[row])), new Span<float>(y + offset, width));
    }
}

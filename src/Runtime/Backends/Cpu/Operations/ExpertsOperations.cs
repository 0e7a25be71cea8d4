using System.Numerics.Tensors;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>
/// Which experts the step's tokens go through. An assignment is one expert of one token; assignments are sorted by expert, so that each expert multiplies its tokens at
/// once, and within an expert by token.
/// </summary>
internal sealed unsafe class ExpertRouting : IDisposable
{
    private readonly ExpertsDescription experts;
    private readonly NativeBuffer inputs;
    private readonly NativeBuffer hidden;
    private readonly NativeBuffer outputs;
    private readonly NativeBuffer packed;
    private readonly float[] probabilities;
    private readonly int[] chosen; // [N, Active] experts
    private readonly int[] cursors;

    public ExpertRouting(FeedForwardDescription block, int width, int maxTokens)
    {
        experts = block.Experts!;
        Width = width;
        HiddenWidth = 2 * block.IntermediateSize;
        var most = (long)maxTokens * experts.Active;
        inputs = new NativeBuffer(most * width * sizeof(float));
        hidden = new NativeBuffer(most * HiddenWidth * sizeof(float));
        outputs = new NativeBuffer(most * width * sizeof(float));
        PackedStride = MatMulKernel.PackedFloats(Math.Max(width, block.IntermediateSize));
        packed = new NativeBuffer((long)experts.Count * PackedStride * sizeof(float));
        probabilities = new float[experts.Count];
        chosen = new int[most];
        cursors = new int[experts.Count];
        Starts = new int[experts.Count + 1];
        Places = new int[most];
        Weights = new float[most];
    }

    /// <summary>C.</summary>
    public int Width { get; }

    /// <summary>2F: gate and up side by side.</summary>
    public int HiddenWidth { get; }

    /// <summary>Floats from an expert's packed activations to the next one's.</summary>
    public int PackedStride { get; }

    /// <summary>Assignments of a token.</summary>
    public int Active => experts.Active;

    /// <summary>[E + 1] where each expert's assignments begin.</summary>
    public int[] Starts { get; }

    /// <summary>[N, Active] where a token's assignments lie.</summary>
    public int[] Places { get; }

    /// <summary>[N, Active] factors of the experts' results.</summary>
    public float[] Weights { get; }

    /// <summary>[assignments, C] what the experts read.</summary>
    public float* Inputs => (float*)inputs.Address;

    /// <summary>[assignments, 2F].</summary>
    public float* Hidden => (float*)hidden.Address;

    /// <summary>[assignments, C] what the experts give.</summary>
    public float* Outputs => (float*)outputs.Address;

    /// <summary>Packed activations of one expert.</summary>
    public float* Packed(int expert) => (float*)packed.Address + ((nint)expert * PackedStride);

    /// <summary>Chooses for <paramref name="tokens"/> rows of router logits [N, E]. Of equal ones the first wins.</summary>
    public void Choose(float* logits, int tokens)
    {
        Array.Clear(Starts);
        for (var token = 0; token < tokens; token++)
        {
            TensorPrimitives.SoftMax(new ReadOnlySpan<float>(logits + ((nint)token * experts.Count), experts.Count), probabilities);
            var sum = 0f;
            for (var i = token * Active; i < (token + 1) * Active; i++)
            {
                var expert = chosen[i] = TensorPrimitives.IndexOfMax<float>(probabilities);
                sum += Weights[i] = probabilities[expert];
                probabilities[expert] = float.NegativeInfinity;
                Starts[expert + 1]++;
            }

            for (var i = token * Active; experts.Normalized && i < (token + 1) * Active; i++)
                Weights[i] /= sum;
        }

        for (var expert = 0; expert < experts.Count; expert++)
            cursors[expert] = Starts[expert + 1] += Starts[expert];
        for (var i = (tokens * Active) - 1; i >= 0; i--)
            Places[i] = --cursors[chosen[i]];
    }

    public void Dispose()
    {
        inputs.Dispose();
        hidden.Dispose();
        outputs.Dispose();
        packed.Dispose();
    }
}

/// <summary>First part of an <see cref="ExpertsNode"/>: chooses the experts and brings each one's tokens together.</summary>
internal sealed unsafe class RouteOperation(ProgramContext context, ExpertRouting routing, float* logits, float* x) : RowOperation(context, Rows.Tokens)
{
    protected override void Begin() => routing.Choose(logits, Batch.TokenCount);

    protected override void RunRow(int row, int thread)
    {
        var source = new ReadOnlySpan<float>(x + ((nint)row * routing.Width), routing.Width);
        for (var i = row * routing.Active; i < (row + 1) * routing.Active; i++)
            source.CopyTo(new Span<float>(routing.Inputs + ((nint)routing.Places[i] * routing.Width), routing.Width));
    }
}

/// <summary>Second and third part: a projection of every expert over its own tokens; an item is a range of one expert's rows.</summary>
internal sealed unsafe class ExpertProjectionOperation<TSimd, TVector>(
    ProgramContext context, ExpertRouting routing, MatMulKernel kernel, ExpertMatrix[] matrices, Activation? gate, float* x, int xStride, int inner, float* y, int yStride)
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
            if (arguments.N <= MatMulKernel.FewTokens)
                kernel.Pack(arguments, arguments.PackedX);
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
            arguments.W = matrices[i].Of(expert);
            arguments.Y = result + (i * rows);
            kernel.Run(arguments, first, end, Context.Scratch(thread));
        }

        if (gate is { } activation)
            ActivationLoop<TSimd, TVector>.Run(activation, result, yStride, arguments.N, first, end, rows);
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

/// <summary>A projection of all experts, one's rows after the other's.</summary>
/// <param name="first">The first expert's.</param>
/// <param name="rows">Of one expert.</param>
/// <param name="bytes">Of one expert.</param>
internal readonly unsafe struct ExpertMatrix(byte* first, int rows, nint bytes)
{
    public readonly int Rows = rows;

    public byte* Of(int expert) => first + (expert * bytes);
}

/// <summary>Last part: adds up what each token's experts gave, in the order of their probabilities.</summary>
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

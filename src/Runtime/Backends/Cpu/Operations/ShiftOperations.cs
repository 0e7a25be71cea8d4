using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="TokenShiftNode"/>.</summary>
internal sealed unsafe class TokenShiftOperation(ProgramContext context, TokenShiftNode node, float* x, float* y)
    : ChannelOperation(context, node.State, node.X.Width, 1)
{
    protected override void RunChannels(int channel, int width, int first, int end, float* state)
    {
        for (var token = first; token < end; token++)
        {
            var offset = ((nint)token * Channels) + channel;
            var row = new ReadOnlySpan<float>(x + offset, width);
            TensorPrimitives.Subtract(new ReadOnlySpan<float>(state, width), row, new Span<float>(y + offset, width));
            row.CopyTo(new Span<float>(state, width));
        }
    }
}

/// <summary><see cref="ConvolutionNode"/>; the weights are [taps, channels].</summary>
internal sealed unsafe class ConvolutionOperation<TSimd, TVector>(ProgramContext context, ConvolutionNode node, float* weight, float* bias, float* x, float* y)
    : ChannelOperation(context, node.State, node.X.Width, node.Taps - 1)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(Hot.Path)]
    protected override void RunChannels(int channel, int width, int first, int end, float* state)
    {
        var before = node.Taps - 1;
        for (var token = first; token < end; token++)
        {
            var target = y + ((nint)token * Channels) + channel;
            var i = 0;
            for (; i + TSimd.Width <= width; i += TSimd.Width)
            {
                var sum = bias == null ? TSimd.Zero : TSimd.Load(bias + channel + i);
                for (var tap = 0; tap < node.Taps; tap++)
                    sum = TSimd.MultiplyAdd(TSimd.Load(weight + ((nint)tap * Channels) + channel + i), TSimd.Load(Row(token - first - before + tap) + i), sum);
                TSimd.Store(target + i, VectorMath<TSimd, TVector>.Silu(sum));
            }

            for (; i < width; i++)
            {
                var sum = bias == null ? 0 : bias[channel + i];
                for (var tap = 0; tap < node.Taps; tap++)
                    sum = MathF.FusedMultiplyAdd(weight[((nint)tap * Channels) + channel + i], Row(token - first - before + tap)[i], sum);
                target[i] = VectorMath<SimdScalar, float>.Silu(sum);
            }
        }

        for (var row = 0; row < before; row++)
            new Span<float>(Row(end - first - before + row), width).CopyTo(new Span<float>(state + ((nint)row * width), width));

        // Of the tokens from the first on, or of the state where that is negative.
        float* Row(int token) => token < 0 ? state + ((nint)(token + before) * width) : x + ((nint)(first + token) * Channels) + channel;
    }
}

/// <summary><see cref="MixNode"/>.</summary>
internal sealed unsafe class MixOperation(ProgramContext context, MixNode node, float* weight, float* x, float* delta, float* adjustment, float* y)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var (offset, width) = ((nint)row * node.Y.Width, node.Y.Width);
        var target = new Span<float>(y + offset, width);
        var amount = new ReadOnlySpan<float>(weight, width);
        if (adjustment != null)
        {
            TensorPrimitives.Add(amount, new ReadOnlySpan<float>(adjustment + offset, width), target);
            amount = target;
        }

        TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(delta + offset, width), amount, new ReadOnlySpan<float>(x + offset, width), target);
    }
}

/// <summary><see cref="LerpNode"/>.</summary>
internal sealed unsafe class LerpOperation(ProgramContext context, LerpNode node, float* x, float* other, float* amount, float* y)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var (offset, width) = ((nint)row * node.Y.Width, node.Y.Width);
        var target = new Span<float>(y + offset, width);
        TensorPrimitives.Subtract(new ReadOnlySpan<float>(other + offset, width), new ReadOnlySpan<float>(x + offset, width), target);
        TensorPrimitives.MultiplyAdd(target, new ReadOnlySpan<float>(amount + offset, width), new ReadOnlySpan<float>(x + offset, width), target);
    }
}

/// <summary><see cref="GateHalvesNode"/>.</summary>
internal sealed unsafe class GateHalvesOperation<TSimd, TVector>(ProgramContext context, GateHalvesNode node, float* y)
    : RowOperation(context, node.Y.Rows)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    protected override void RunRow(int row, int thread) =>
        ActivationLoop<TSimd, TVector>.Run(node.Activation, y + ((nint)row * node.Y.Width), node.Y.Width, 1, 0, node.Y.Width / 2, node.Y.Width / 2);
}

/// <summary><see cref="GateNode"/> where the gate is no product that could do it itself.</summary>
internal sealed unsafe class GateOperation<TSimd, TVector>(ProgramContext context, GateNode node, float* gate, float* x, float* y)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    protected override void RunRow(int row, int thread)
    {
        var (offset, width) = ((nint)row * node.Y.Width, node.Y.Width);
        var target = new Span<float>(y + offset, width);
        new ReadOnlySpan<float>(gate + offset, width).CopyTo(target);
        ActivationLoop<TSimd, TVector>.Run(node.Activation, y + offset, width, 1, 0, width, 0);
        TensorPrimitives.Multiply(target, new ReadOnlySpan<float>(x + offset, width), target);
    }
}
